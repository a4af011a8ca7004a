// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Constants of the reference evaluator.

#include "codegen/reference/Interpreter.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

static double toDouble(APFloat value) {
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value.convertToDouble();
}

static int64_t toInt64(const APInt &value) {
  return value.getBitWidth() == 1 ? value.getZExtValue() : value.getSExtValue();
}

static FailureOr<Array> evaluateDense(Operation &op,
                                      DenseElementsAttr elements) {
  ArrayRef<int64_t> shape = elements.getType().getShape();
  FailureOr<int64_t> count = countElements(&op, shape);
  if (failed(count))
    return failure();
  if (isa<FloatType>(elements.getElementType())) {
    if (elements.isSplat())
      return Array::ofFloats(
          shape, std::vector<double>(
                     *count, toDouble(elements.getSplatValue<APFloat>())));
    std::vector<double> values;
    values.reserve(*count);
    for (APFloat value : elements.getValues<APFloat>())
      values.push_back(toDouble(value));
    return Array::ofFloats(shape, std::move(values));
  }
  if (isa<IntegerType, IndexType>(elements.getElementType()) &&
      widthOf(elements.getElementType()) <= 64) {
    std::vector<int64_t> values;
    values.reserve(*count);
    for (const APInt &value : elements.getValues<APInt>())
      values.push_back(toInt64(value));
    return Array::ofIntegers(shape, std::move(values));
  }
  return op.emitOpError("expects float or integer elements, but got ")
         << elements.getElementType();
}

FailureOr<Array> reference::evaluateConstant(Operation &op, Attribute value) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return Array::ofFloats({}, {toDouble(number.getValue())});
  if (auto number = dyn_cast<IntegerAttr>(value);
      number && number.getValue().getBitWidth() <= 64)
    return Array::ofIntegers({}, {toInt64(number.getValue())});
  if (auto elements = dyn_cast<DenseElementsAttr>(value))
    return evaluateDense(op, elements);
  return op.emitOpError("has a constant of a kind that cannot be evaluated: ")
         << value;
}
