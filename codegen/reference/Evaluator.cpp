// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Entry points of the reference evaluator and the checks of a model's inputs.

#include "codegen/reference/Evaluator.h"

#include "codegen/reference/Interpreter.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

static StringRef nameOf(func::FuncOp function, unsigned argument) {
  auto name = function.getArgAttrOfType<StringAttr>(argument, "attn.name");
  return name ? name.getValue() : StringRef();
}

static InFlightDiagnostic emitInputError(func::FuncOp function,
                                         unsigned argument) {
  InFlightDiagnostic diagnostic = function.emitError("input ");
  if (StringRef name = nameOf(function, argument); !name.empty())
    diagnostic << "'" << name << "' ";
  else
    diagnostic << argument << " ";
  return diagnostic;
}

static LogicalResult checkType(func::FuncOp function, unsigned i,
                               const Array &input) {
  auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[i]);
  if (type && fits(input.shape(), type) &&
      isa<FloatType>(type.getElementType()) == input.isFloat())
    return success();
  return emitInputError(function, i)
         << "expects " << function.getArgumentTypes()[i] << ", but got "
         << (input.isFloat() ? "floats " : "integers ")
         << formatShape(input.shape());
}

/// Dynamic dimensions of equal name are equal and within `attn.dim_max`.
static LogicalResult checkDims(func::FuncOp function, unsigned i,
                               const Array &input,
                               llvm::StringMap<int64_t> &sizes) {
  auto dims = function.getArgAttrOfType<ArrayAttr>(i, "attn.dims");
  auto largest = function->getAttrOfType<DictionaryAttr>("attn.dim_max");
  if (!dims)
    return success();
  for (auto [attr, size] : llvm::zip(dims, input.shape())) {
    auto name = dyn_cast<StringAttr>(attr);
    if (!name || name.empty())
      continue;
    int64_t known = sizes.try_emplace(name.getValue(), size).first->second;
    if (known != size)
      return emitInputError(function, i)
             << "expects dimension '" << name.getValue() << "' to be " << known
             << " as before, but got " << size;
    auto limit = largest ? largest.getAs<IntegerAttr>(name) : IntegerAttr();
    if (limit && size > limit.getInt())
      return emitInputError(function, i)
             << "expects dimension '" << name.getValue() << "' to be at most "
             << limit.getInt() << ", but got " << size;
  }
  return success();
}

static LogicalResult checkBound(func::FuncOp function, unsigned i,
                                const Array &input) {
  auto bound = function.getArgAttrOfType<IntegerAttr>(i, "attn.bound");
  if (!bound || input.isFloat())
    return success();
  for (auto [at, value] : llvm::enumerate(input.integers()))
    if (value < 0 || value >= bound.getInt())
      return emitInputError(function, i)
             << "expects elements in [0, " << bound.getInt() << "), but got "
             << value << " at position " << at;
  return success();
}

FailureOr<SmallVector<Array>>
reference::evaluateFunction(func::FuncOp function, ArrayRef<Array> inputs,
                            WeightLookup weights, TapCallback onTap) {
  if (function.isExternal())
    return function.emitError("expects a function with a body");
  if (inputs.size() != function.getNumArguments())
    return function.emitError("expects ")
           << function.getNumArguments() << " inputs, but got "
           << inputs.size();
  llvm::StringMap<int64_t> sizes;
  for (auto [i, input] : llvm::enumerate(inputs))
    if (failed(checkType(function, i, input)) ||
        failed(checkDims(function, i, input, sizes)) ||
        failed(checkBound(function, i, input)))
      return failure();
  return Interpreter(weights, onTap).runFunction(function, inputs);
}

FailureOr<SmallVector<Array>>
reference::evaluateRegion(Region &region, ArrayRef<Array> arguments,
                          WeightLookup weights) {
  return Interpreter(weights, [](StringRef, const Array &) {})
      .runRegion(region, arguments);
}

FailureOr<Array> reference::evaluateParameter(ParameterOp parameter,
                                              WeightLookup weights) {
  FailureOr<SmallVector<Array>> values =
      evaluateRegion(parameter.getBody(), {}, weights);
  if (failed(values))
    return failure();
  auto type = cast<RankedTensorType>(parameter.getType());
  if (values->size() != 1 || !fits(values->front().shape(), type))
    return parameter.emitOpError("expects its region to yield one ") << type;
  return values->front();
}
