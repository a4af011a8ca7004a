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

Value attn::cpu::readLanes(TileBuilder &b, Value buffer,
                           ArrayRef<Value> indices, Value mask) {
  if (llvm::none_of(indices, onLanes))
    return b.loadScalar(buffer, indices);
  Value base =
      onLanes(indices.back()) ? TileBuilder::laneBase(indices.back()) : Value();
  if (!base || llvm::any_of(indices.drop_back(), onLanes))
    return b.gather(buffer, indices, mask);
  SmallVector<Value> first(indices);
  first.back() = base;
  return b.load(buffer, first, mask);
}

static Value extract(TileBuilder &b, tensor::ExtractOp op, IRMapping &mapping,
                     Value mask) {
  Value buffer = mapping.lookupOrNull(op.getTensor());
  if (!buffer || !isa<MemRefType>(buffer.getType()))
    return {};
  SmallVector<Value> indices;
  for (Value index : op.getIndices())
    indices.push_back(mapping.lookup(index));
  return readLanes(b, buffer, indices, mask);
}

Value attn::cpu::elementwiseLanes(TileBuilder &b, Operation &op,
                                  ArrayRef<Value> operands) {
  if (op.getNumResults() != 1 || op.getNumRegions() != 0 || !isPure(&op) ||
      (!OpTrait::hasElementwiseMappableTraits(&op) && !isa<GeluOp>(op)))
    return {};
  Type element = getElementTypeOrSelf(op.getResult(0).getType());
  bool isScalar = llvm::none_of(operands, onLanes);
  SmallVector<Value> values(operands);
  for (Value &value : values)
    value = isScalar ? value : b.splat(value);
  Type type = isScalar ? element : Type(b.lanes(element));
  return b
      .create(op.getLoc(), op.getName().getIdentifier(), values, type,
              op.getAttrs())
      ->getResult(0);
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
  if (op.hasTrait<OpTrait::ConstantLike>())
    return b.clone(op)->getResult(0);
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(mapping.lookup(operand));
  return elementwiseLanes(b, op, operands);
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
