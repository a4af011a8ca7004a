// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies scalar regions into tile-level code, 16 elements at a time.

#include "codegen/cpu/tiles/TileBuilder.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static bool onLanes(Value value) { return isa<VectorType>(value.getType()); }

static Value extract(TileBuilder &b, tensor::ExtractOp op, IRMapping &mapping,
                     Value mask) {
  Value buffer = mapping.lookupOrNull(op.getTensor());
  if (!buffer || !isa<MemRefType>(buffer.getType()))
    return {};
  SmallVector<Value> indices;
  for (Value index : op.getIndices())
    indices.push_back(mapping.lookup(index));
  if (llvm::none_of(indices, onLanes))
    return b.loadScalar(buffer, indices);
  Value base =
      onLanes(indices.back()) ? TileBuilder::laneBase(indices.back()) : Value();
  if (!base || llvm::any_of(ArrayRef(indices).drop_back(), onLanes))
    return b.gather(buffer, indices, mask);
  indices.back() = base;
  return b.load(buffer, indices, mask);
}

/// The vector form of an elementwise operation on scalars.
static Value elementwise(TileBuilder &b, Operation &op, IRMapping &mapping) {
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(mapping.lookup(operand));
  if (llvm::none_of(operands, onLanes))
    return b.clone(op, mapping)->getResult(0);
  for (Value &operand : operands)
    operand = b.splat(operand);
  Operation *onVectors =
      b.create(op.getLoc(), op.getName().getIdentifier(), operands,
               b.lanes(op.getResult(0).getType()), op.getAttrs());
  return onVectors->getResult(0);
}

static Value translate(TileBuilder &b, Operation &op, IRMapping &mapping,
                       Value mask) {
  if (auto load = dyn_cast<tensor::ExtractOp>(op))
    return extract(b, load, mapping, mask);
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    Value buffer = mapping.lookupOrNull(dim.getSource());
    std::optional<int64_t> index = dim.getConstantIndex();
    return buffer && index ? b.dim(buffer, *index) : Value();
  }
  if (op.getNumResults() != 1 || op.getNumRegions() != 0 || !isPure(&op))
    return {};
  if (op.hasTrait<OpTrait::ConstantLike>())
    return b.clone(op)->getResult(0);
  if (!OpTrait::hasElementwiseMappableTraits(&op) && !isa<GeluOp>(op))
    return {};
  return elementwise(b, op, mapping);
}

FailureOr<SmallVector<Value>> attn::cpu::inlineLanes(
    TileBuilder &b, Region &region, ValueRange arguments, Value mask,
    llvm::function_ref<Value(Operation &, IRMapping &)> custom) {
  Block &body = region.front();
  IRMapping mapping;
  for (auto [from, to] : llvm::zip(body.getArguments(), arguments))
    if (to)
      mapping.map(from, to);
  for (Operation &op : body.without_terminator()) {
    Value result = custom ? custom(op, mapping) : Value();
    if (!result)
      result = translate(b, op, mapping, mask);
    if (!result) {
      op.emitError("'") << op.getName() << "' has no form in a CPU kernel";
      return failure();
    }
    mapping.map(op.getResult(0), result);
  }
  SmallVector<Value> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}
