// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// linalg on elements: maps, broadcasts, permutations and reductions.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/tiles/ElementLoops.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// The kernel's loop nest. A fill beside it only gives a reduction its first
/// value.
static Operation *matchMap(func::FuncOp kernel) {
  Operation *found = nullptr;
  for (Operation &op : kernel.getBody().front())
    if (isa<linalg::LinalgOp>(op) && (!found || isa<linalg::FillOp>(found)))
      found = &op;
  return found;
}

/// A copy of a constant of the kernel, or null if `value` is none.
static Value cloneConstant(TileBuilder &b, Value value) {
  Operation *source = value.getDefiningOp();
  if (!source || !source->hasTrait<OpTrait::ConstantLike>() ||
      isa<ShapedType>(value.getType()))
    return {};
  return b.clone(*source)->getResult(0);
}

namespace {

/// Builds the loops of one linalg operation.
class Map {
public:
  Map(TileBuilder &b, linalg::LinalgOp op) : b(b), op(op) {}
  LogicalResult emit();

private:
  LogicalResult addInput(OpOperand &operand);
  LogicalResult addOutput(unsigned number);
  LogicalResult findSizes();
  LogicalResult orderLoops();
  FailureOr<Access> access(Value buffer, OpOperand &operand);
  FailureOr<SmallVector<Value>> body(ArrayRef<Value> inputs,
                                     ValueRange accumulators,
                                     ElementLoops::Position position,
                                     Value mask);

  TileBuilder &b;
  linalg::LinalgOp op;
  ElementLoops loops;
  SmallVector<unsigned> order; ///< of the op's loops
  SmallVector<unsigned> place; ///< of each of the op's loops in that order
  SmallVector<Value> scalars;  ///< inputs that are constants, by argument
};

} // namespace

/// Parallel loops in the order in which the first result is stored, then the
/// reductions in theirs.
LogicalResult Map::orderLoops() {
  AffineMap stored = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  for (AffineExpr expr : stored.getResults())
    if (auto loop = dyn_cast<AffineDimExpr>(expr))
      order.push_back(loop.getPosition());
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  for (auto [loop, kind] : llvm::enumerate(kinds)) {
    bool isStored = llvm::is_contained(order, loop);
    if (isStored != (kind == utils::IteratorType::parallel))
      return op->emitError("expects every parallel loop, and no other, to "
                           "index the result");
    if (!isStored)
      order.push_back(loop);
  }
  place.resize(order.size());
  for (auto [i, loop] : llvm::enumerate(order)) {
    place[loop] = i;
    loops.reduces.push_back(kinds[loop] != utils::IteratorType::parallel);
  }
  return success();
}

FailureOr<Access> Map::access(Value buffer, OpOperand &operand) {
  if (!buffer)
    return op->emitError("operand ")
           << operand.getOperandNumber()
           << " is neither an argument nor a result of the kernel";
  SmallVector<AffineExpr> dims;
  for (unsigned loop : place)
    dims.push_back(b.getAffineDimExpr(loop));
  AffineMap map = op.getMatchingIndexingMap(&operand).replaceDimsAndSymbols(
      dims, {}, order.size(), 0);
  FailureOr<Access> result = accessThrough(b, buffer, map);
  if (failed(result))
    return op->emitError("expects a projected permutation with constants, but "
                         "operand ")
           << operand.getOperandNumber() << " has map "
           << AffineMapAttr::get(map);
  return result;
}

LogicalResult Map::addInput(OpOperand &operand) {
  scalars.push_back(cloneConstant(b, operand.get()));
  if (scalars.back() || op.getMatchingBlockArgument(&operand).use_empty())
    return success();
  FailureOr<Access> input = access(b.memory(operand.get()), operand);
  if (failed(input))
    return failure();
  loops.inputs.push_back(*input);
  return success();
}

/// The first values of a reduction: from a fill. What a result held before is
/// never read otherwise.
LogicalResult Map::addOutput(unsigned number) {
  OpOperand &operand = *op.getDpsInitOperand(number);
  FailureOr<Access> output = access(b.memory(op->getResult(number)), operand);
  if (failed(output))
    return failure();
  loops.outputs.push_back(*output);
  bool isRead = !op.getMatchingBlockArgument(&operand).use_empty();
  if (!isRead && !llvm::is_contained(loops.reduces, true))
    return success();
  auto fill = operand.get().getDefiningOp<linalg::FillOp>();
  Value initial = fill ? cloneConstant(b, fill.getInputs().front()) : Value();
  if (!initial)
    return op->emitError("expects a result that is read to be filled with a "
                         "constant");
  loops.initial.push_back(initial);
  return success();
}

/// Each loop has the size of a dimension that it indexes.
LogicalResult Map::findSizes() {
  SmallVector<Value> sizes(order.size());
  for (OpOperand &operand : op->getOpOperands()) {
    Value buffer = op.isDpsInit(&operand)
                       ? b.memory(op.getTiedOpResult(&operand))
                       : b.memory(operand.get());
    if (!buffer)
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [axis, expr] : llvm::enumerate(map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
        Value &size = sizes[place[loop.getPosition()]];
        Value found = b.dim(buffer, axis);
        if (!size || getConstantIntValue(OpFoldResult(found)))
          size = found;
      }
  }
  for (auto [i, size] : llvm::enumerate(sizes))
    if (!size)
      return op->emitError("has no operand that gives the size of loop ")
             << order[i];
  loops.sizes = sizes;
  return success();
}

FailureOr<SmallVector<Value>> Map::body(ArrayRef<Value> inputs,
                                        ValueRange accumulators,
                                        ElementLoops::Position position,
                                        Value mask) {
  SmallVector<Value> arguments;
  for (auto [i, scalar] : llvm::enumerate(scalars)) {
    bool isRead = !op.getBlock()->getArgument(i).use_empty();
    arguments.push_back(scalar ? scalar : isRead ? inputs.front() : Value());
    if (!scalar && isRead)
      inputs = inputs.drop_front();
  }
  for (unsigned i = 0; i < loops.outputs.size(); ++i)
    arguments.push_back(i < accumulators.size() ? accumulators[i] : Value());

  auto custom = [&](Operation &inner, IRMapping &mapping) -> Value {
    // Constants of the kernel come into the region by name.
    for (Value operand : inner.getOperands())
      if (!mapping.contains(operand))
        if (Value constant = cloneConstant(b, operand))
          mapping.map(operand, constant);
    auto index = dyn_cast<linalg::IndexOp>(inner);
    return index ? position(place[index.getDim()]) : Value();
  };
  return inlineLanes(b, *op.getBlock()->getParent(), arguments, mask, custom);
}

LogicalResult Map::emit() {
  if (failed(orderLoops()) || failed(findSizes()))
    return failure();
  for (OpOperand *operand : op.getDpsInputOperands())
    if (failed(addInput(*operand)))
      return failure();
  for (int64_t i = 0; i < op.getNumDpsInits(); ++i)
    if (failed(addOutput(i)))
      return failure();
  if (!loops.initial.empty() && loops.initial.size() != loops.outputs.size())
    return op->emitError("reads some of its results, but not all");
  loops.usesPositions = op.hasIndexSemantics();
  return loops.emit(b, [&](ArrayRef<Value> inputs, ValueRange accumulators,
                           ElementLoops::Position position, Value mask) {
    return body(inputs, accumulators, position, mask);
  });
}

static LogicalResult emitMap(TileBuilder &b, Operation *op) {
  return Map(b, cast<linalg::LinalgOp>(op)).emit();
}

const KernelEmitter attn::cpu::mapEmitter = {
    .match = matchMap, .scratchBytes = nullptr, .emit = emitMap};
