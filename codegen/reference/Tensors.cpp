// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensor dialect in the reference evaluator: shapes, slices, concatenation.

#include "codegen/reference/Interpreter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

//===----------------------------------------------------------------------===//
// Boxes: rectangular parts of an array
//===----------------------------------------------------------------------===//

namespace {

/// A part of an array: where it starts and the distance of neighbours along
/// each axis, in elements.
struct Box {
  int64_t start = 0;
  SmallVector<int64_t> strides;
};

} // namespace

static Box boxOf(ArrayRef<int64_t> shape, ArrayRef<int64_t> offsets,
                 ArrayRef<int64_t> steps) {
  Box box;
  box.strides.resize(shape.size());
  int64_t stride = 1;
  for (int64_t axis = int64_t(shape.size()) - 1; axis >= 0; --axis) {
    box.start += offsets[axis] * stride;
    box.strides[axis] = steps[axis] * stride;
    stride *= shape[axis];
  }
  return box;
}

template <typename T>
static void copyBox(ArrayRef<int64_t> sizes, const T *source,
                    ArrayRef<int64_t> sourceStrides, T *target,
                    ArrayRef<int64_t> targetStrides) {
  if (sizes.empty()) {
    *target = *source;
    return;
  }
  for (int64_t i = 0; i < sizes.front(); ++i)
    copyBox(sizes.drop_front(), source + i * sourceStrides.front(),
            sourceStrides.drop_front(), target + i * targetStrides.front(),
            targetStrides.drop_front());
}

template <typename T>
static void copyBox(ArrayRef<int64_t> sizes, ArrayRef<T> source,
                    const Box &from, std::vector<T> &target, const Box &to) {
  if (llvm::is_contained(sizes, 0))
    return;
  copyBox<T>(sizes, source.data() + from.start, from.strides,
             target.data() + to.start, to.strides);
}

/// The integers of offsets, sizes or strides, of which some are operands.
static SmallVector<int64_t> resolve(ArrayRef<OpFoldResult> values,
                                    const OperandArrays &operands) {
  SmallVector<int64_t> resolved;
  for (OpFoldResult value : values) {
    if (auto attr = dyn_cast<Attribute>(value))
      resolved.push_back(cast<IntegerAttr>(attr).getInt());
    else
      resolved.push_back(indexOf(operands[cast<Value>(value)]));
  }
  return resolved;
}

/// Offsets, sizes and strides of a slice, inside the sliced tensor.
static LogicalResult checkSlice(Operation *op, ArrayRef<int64_t> shape,
                                ArrayRef<int64_t> offsets,
                                ArrayRef<int64_t> sizes,
                                ArrayRef<int64_t> strides) {
  for (auto [axis, size] : llvm::enumerate(shape)) {
    bool inside =
        offsets[axis] >= 0 && sizes[axis] >= 0 && strides[axis] >= 1 &&
        offsets[axis] <= size &&
        (sizes[axis] == 0 ||
         (offsets[axis] < size &&
          sizes[axis] - 1 <= (size - 1 - offsets[axis]) / strides[axis]));
    if (!inside)
      return op->emitOpError("takes ")
             << sizes[axis] << " elements from offset " << offsets[axis]
             << " with stride " << strides[axis] << " of dimension " << axis
             << ", which has size " << size;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Nothing may read these elements before they are written: they are NaN.
static Arrays evaluateEmpty(tensor::EmptyOp op, const OperandArrays &operands) {
  SmallVector<int64_t> shape = resolve(op.getMixedSizes(), operands);
  FailureOr<int64_t> count = countElements(op, shape);
  if (failed(count))
    return failure();
  if (isa<FloatType>(op.getType().getElementType()))
    return SmallVector<Array>{Array::ofFloats(
        shape,
        std::vector<double>(*count, std::numeric_limits<double>::quiet_NaN()))};
  return SmallVector<Array>{
      Array::ofIntegers(shape, std::vector<int64_t>(*count))};
}

static Arrays evaluateExtractSlice(tensor::ExtractSliceOp op,
                                   const OperandArrays &operands) {
  const Array &source = operands[op.getSource()];
  auto offsets = resolve(op.getMixedOffsets(), operands);
  auto sizes = resolve(op.getMixedSizes(), operands);
  auto strides = resolve(op.getMixedStrides(), operands);
  if (failed(checkSlice(op, source.shape(), offsets, sizes, strides)))
    return failure();

  SmallVector<int64_t> zeros(sizes.size(), 0), ones(sizes.size(), 1), shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [axis, size] : llvm::enumerate(sizes))
    if (!dropped[axis])
      shape.push_back(size);
  Box from = boxOf(source.shape(), offsets, strides);
  Box to = boxOf(sizes, zeros, ones);
  int64_t count = *Array::count(sizes);
  if (source.isFloat()) {
    std::vector<double> values(count);
    copyBox(sizes, source.floats(), from, values, to);
    return SmallVector<Array>{Array::ofFloats(shape, std::move(values))};
  }
  std::vector<int64_t> values(count);
  copyBox(sizes, source.integers(), from, values, to);
  return SmallVector<Array>{Array::ofIntegers(shape, std::move(values))};
}

static Arrays evaluateInsertSlice(tensor::InsertSliceOp op,
                                  const OperandArrays &operands) {
  const Array &source = operands[op.getSource()];
  const Array &dest = operands[op.getDest()];
  auto offsets = resolve(op.getMixedOffsets(), operands);
  auto sizes = resolve(op.getMixedSizes(), operands);
  auto strides = resolve(op.getMixedStrides(), operands);
  if (failed(checkSlice(op, dest.shape(), offsets, sizes, strides)))
    return failure();
  if (Array::count(sizes) != source.size())
    return op.emitOpError("inserts a tensor of shape ")
           << formatShape(source.shape()) << " into a slice of sizes "
           << formatShape(sizes);

  SmallVector<int64_t> zeros(sizes.size(), 0), ones(sizes.size(), 1);
  Box from = boxOf(sizes, zeros, ones);
  Box to = boxOf(dest.shape(), offsets, strides);
  if (source.isFloat()) {
    std::vector<double> values = dest.floats().vec();
    copyBox(sizes, source.floats(), from, values, to);
    return SmallVector<Array>{Array::ofFloats(dest.shape(), std::move(values))};
  }
  std::vector<int64_t> values = dest.integers().vec();
  copyBox(sizes, source.integers(), from, values, to);
  return SmallVector<Array>{Array::ofIntegers(dest.shape(), std::move(values))};
}

template <typename T>
static std::vector<T> concatenate(ArrayRef<Array> parts, int64_t axis,
                                  ArrayRef<int64_t> shape, int64_t count,
                                  ArrayRef<T> (Array::*elements)() const) {
  std::vector<T> values(count);
  SmallVector<int64_t> offsets(shape.size(), 0), zeros(shape.size(), 0),
      ones(shape.size(), 1);
  for (const Array &part : parts) {
    copyBox(part.shape(), (part.*elements)(), boxOf(part.shape(), zeros, ones),
            values, boxOf(shape, offsets, ones));
    offsets[axis] += part.shape()[axis];
  }
  return values;
}

static Arrays evaluateConcat(tensor::ConcatOp op,
                             const OperandArrays &operands) {
  ArrayRef<Array> parts = operands.all();
  int64_t axis = op.getDim();
  SmallVector<int64_t> shape(parts.front().shape());
  shape[axis] = 0;
  for (const Array &part : parts) {
    for (auto [i, size] : llvm::enumerate(part.shape()))
      if (int64_t(i) != axis && size != shape[i])
        return op.emitOpError("expects dimension ")
               << i << " of all operands to match, but got " << shape[i]
               << " and " << size;
    shape[axis] += part.shape()[axis];
  }
  FailureOr<int64_t> count = countElements(op, shape);
  if (failed(count))
    return failure();
  if (parts.front().isFloat())
    return SmallVector<Array>{Array::ofFloats(
        shape, concatenate(parts, axis, shape, *count, &Array::floats))};
  return SmallVector<Array>{Array::ofIntegers(
      shape, concatenate(parts, axis, shape, *count, &Array::integers))};
}

static Arrays evaluateExpandShape(tensor::ExpandShapeOp op,
                                  const OperandArrays &operands) {
  const Array &source = operands[op.getSrc()];
  SmallVector<int64_t> shape = resolve(op.getMixedOutputShape(), operands);
  for (auto [axis, group] : llvm::enumerate(op.getReassociationIndices())) {
    SmallVector<int64_t> sizes;
    for (int64_t i : group)
      sizes.push_back(shape[i]);
    if (Array::count(sizes) != source.shape()[axis])
      return op.emitOpError("expands dimension ")
             << axis << " of size " << source.shape()[axis] << " to sizes "
             << formatShape(sizes);
  }
  return SmallVector<Array>{source.reshaped(shape)};
}

static Arrays evaluateCollapseShape(tensor::CollapseShapeOp op,
                                    const OperandArrays &operands) {
  const Array &source = operands[op.getSrc()];
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    SmallVector<int64_t> sizes;
    for (int64_t i : group)
      sizes.push_back(source.shape()[i]);
    FailureOr<int64_t> size = countElements(op, sizes);
    if (failed(size))
      return failure();
    shape.push_back(*size);
  }
  return SmallVector<Array>{source.reshaped(shape)};
}

static Arrays evaluateFromElements(tensor::FromElementsOp op,
                                   const OperandArrays &operands) {
  ArrayRef<int64_t> shape = op.getType().getShape();
  if (operands.all().empty()) {
    if (isa<FloatType>(op.getType().getElementType()))
      return SmallVector<Array>{Array::ofFloats(shape, {})};
    return SmallVector<Array>{Array::ofIntegers(shape, {})};
  }
  FailureOr<LaneArray> stacked = stackLanes(op, operands.all());
  if (failed(stacked))
    return failure();
  return SmallVector<Array>{stacked->array.reshaped(shape)};
}

std::optional<Arrays>
reference::evaluateTensorOp(Operation &op, const OperandArrays &operands) {
  return TypeSwitch<Operation *, std::optional<Arrays>>(&op)
      .Case([&](tensor::EmptyOp op) { return evaluateEmpty(op, operands); })
      .Case(
          [&](tensor::CastOp op) { return SmallVector<Array>(operands.all()); })
      .Case([&](tensor::ConcatOp op) { return evaluateConcat(op, operands); })
      .Case([&](tensor::ExtractSliceOp op) {
        return evaluateExtractSlice(op, operands);
      })
      .Case([&](tensor::InsertSliceOp op) {
        return evaluateInsertSlice(op, operands);
      })
      .Case([&](tensor::ExpandShapeOp op) {
        return evaluateExpandShape(op, operands);
      })
      .Case([&](tensor::CollapseShapeOp op) {
        return evaluateCollapseShape(op, operands);
      })
      .Case([&](tensor::FromElementsOp op) {
        return evaluateFromElements(op, operands);
      })
      .Default(std::nullopt);
}
