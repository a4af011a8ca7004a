// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builds values of an attention's regions: what is needed, in order.

#include "codegen/cpu/attention/RegionValues.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static bool isTensor(Value value) { return isa<TensorType>(value.getType()); }

/// Whether `op` reads `operand` as memory, not as a vector.
static bool readsMemory(Operation *op, Value operand) {
  return isa<BlockArgument>(operand) && isTensor(operand) &&
         isa<tensor::ExtractOp, tensor::ExtractSliceOp, tensor::DimOp>(op);
}

Value RegionValues::decline(Operation &op, StringRef what) {
  if (!failedOnce)
    op.emitError("'") << op.getName() << "'" << what
                      << " has no form in a CPU kernel";
  failedOnce = true;
  Type type = getElementTypeOrSelf(op.getResult(0).getType());
  return arith::ConstantOp::create(b, b.getZeroAttr(type));
}

/// The operations between `roots` and what the point knows.
DenseSet<Operation *> RegionValues::needed(ArrayRef<Value> roots) {
  DenseSet<Operation *> found;
  SmallVector<Value> work(roots);
  while (!work.empty()) {
    Value value = program.representative(work.pop_back_val());
    Operation *op = value.getDefiningOp();
    if (!op || values.contains(value))
      continue;
    if (isTensor(value) ? point.hasVector(value) : false)
      continue;
    if (!isTensor(value))
      if (Value known = point.scalar(value)) {
        values.map(value, known);
        continue;
      }
    if (!found.insert(op).second)
      continue;
    for (Value operand : op->getOperands())
      if (!readsMemory(op, operand))
        work.push_back(operand);
  }
  return found;
}

void RegionValues::compute(
    ArrayRef<Value> roots,
    llvm::function_ref<Value(Value, const ElementPoint &)> vector) {
  DenseSet<Operation *> wanted = needed(roots);
  for (Operation *op : program.operations()) {
    if (!wanted.contains(op) || isTensor(op->getResult(0)))
      continue;
    bool reduces = isa<DotOp, SumOp>(op);
    values.map(op->getResult(0),
               reduces && vector ? buildReduction(*op, vector) : build(*op));
  }
}

Value RegionValues::argument(BlockArgument argument) {
  unsigned number = argument.getArgNumber();
  return number < point.arguments.size() ? point.arguments[number]
                                         : point.normalized;
}

Value RegionValues::scalar(Value value) {
  value = program.representative(value);
  if (auto blockArgument = dyn_cast<BlockArgument>(value))
    return argument(blockArgument);
  if (!values.contains(value))
    if (Value known = point.scalar(value))
      values.map(value, known);
  return values.lookup(value);
}

/// An index into `memory`. One that was computed is kept inside, whatever the
/// data that it came from.
Value RegionValues::index(Value value, Value memory, int64_t dimension) {
  Value at = scalar(value);
  if (isa<BlockArgument>(program.representative(value)) ||
      matchPattern(value, m_Constant()))
    return at;
  Value last = b.sub(b.dim(memory, dimension), b.idx(1)), first = b.idx(0);
  if (isa<VectorType>(at.getType()))
    last = b.splat(last), first = b.splat(first);
  return arith::MaxSIOp::create(b, arith::MinSIOp::create(b, at, last), first);
}

Value RegionValues::build(Operation &op) {
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    auto source = dyn_cast<BlockArgument>(extract.getTensor());
    Value memory = source ? argument(source) : Value();
    if (!memory)
      return decline(op, " of a vector that is no captured tensor");
    SmallVector<Value> indices;
    for (auto [d, at] : llvm::enumerate(extract.getIndices()))
      indices.push_back(index(at, memory, d));
    return readLanes(b, memory, indices, point.mask);
  }
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    auto source = dyn_cast<BlockArgument>(dim.getSource());
    std::optional<int64_t> dimension = dim.getConstantIndex();
    Value memory = source ? argument(source) : Value();
    return memory && dimension ? b.dim(memory, *dimension) : decline(op);
  }
  if (op.hasTrait<OpTrait::ConstantLike>())
    return b.clone(op)->getResult(0);
  SmallVector<Value> operands;
  for (Value operand : op.getOperands()) {
    if (isTensor(operand))
      return decline(op);
    operands.push_back(scalar(operand));
  }
  Value result = elementwiseLanes(b, op, operands);
  return result ? result : decline(op);
}

/// A sum over the width of one side's vectors: 16 lanes and a fixed tree.
Value RegionValues::buildReduction(
    Operation &op,
    llvm::function_ref<Value(Value, const ElementPoint &)> vector) {
  auto type = cast<RankedTensorType>(op.getOperand(0).getType());
  Value zero = b.splat(0.0);
  SmallVector<Value> sum = b.forLanes(
      b.idx(type.getDimSize(0)), {zero},
      [&](Value position, Value mask, ValueRange so_far) -> SmallVector<Value> {
        ElementPoint at{position, true, mask, {}};
        auto read = [&](Value leaf) { return vector(leaf, at); };
        at.vector = read;
        Value x = b.splat(element(op.getOperand(0), at));
        if (isa<DotOp>(op))
          x = arith::MulFOp::create(b, x,
                                    b.splat(element(op.getOperand(1), at)));
        if (mask)
          x = arith::SelectOp::create(b, mask, x, zero);
        return {arith::AddFOp::create(b, so_far.front(), x)};
      });
  return b.reduce(sum.front(), Reduction::Sum);
}

//===----------------------------------------------------------------------===//
// Elements of vectors
//===----------------------------------------------------------------------===//

Value RegionValues::element(Value vector, const ElementPoint &at) {
  IRMapping elements;
  vector = program.representative(vector);
  DenseSet<Operation *> wanted = needed({vector});
  for (Operation *op : program.operations()) {
    Value result = op->getResult(0);
    if (wanted.contains(op) && isTensor(result))
      elements.map(result, buildElement(*op, at, elements));
  }
  return operandElement(vector, at, elements);
}

Value RegionValues::operandElement(Value operand, const ElementPoint &at,
                                   IRMapping &elements) {
  operand = program.representative(operand);
  if (!isTensor(operand))
    return scalar(operand);
  if (point.hasVector(operand))
    return at.vector(operand);
  if (auto captured = dyn_cast<BlockArgument>(operand))
    return readVector(argument(captured), {}, at);
  return elements.lookup(operand);
}

Value RegionValues::readVector(Value memory, ArrayRef<Value> indices,
                               const ElementPoint &at) {
  SmallVector<Value> all(indices);
  all.push_back(at.isLanes ? b.laneIndices(at.position) : at.position);
  return readLanes(b, memory, all, at.isLanes ? at.mask : point.mask);
}

Value RegionValues::buildElement(Operation &op, const ElementPoint &at,
                                 IRMapping &elements) {
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return scalar(splat.getInput());
  DenseElementsAttr constant;
  if (matchPattern(&op, m_Constant(&constant))) {
    if (!constant.isSplat())
      return decline(op, " of different elements");
    return arith::ConstantOp::create(
        b, cast<TypedAttr>(constant.getSplatValue<Attribute>()));
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    auto source = dyn_cast<BlockArgument>(slice.getSource());
    Value memory = source ? argument(source) : Value();
    SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
    bool isRow =
        memory && slice.hasUnitStride() &&
        isConstantIntValue(offsets.back(), 0) &&
        llvm::all_of(ArrayRef(slice.getMixedSizes()).drop_back(),
                     [](OpFoldResult size) { return isOneInteger(size); });
    if (!isRow)
      return decline(op, " other than a row of a captured tensor");
    SmallVector<Value> indices;
    for (auto [d, offset] : llvm::enumerate(ArrayRef(offsets).drop_back())) {
      auto value = dyn_cast<Value>(offset);
      indices.push_back(value ? index(value, memory, d)
                              : b.idx(*getConstantIntValue(offset)));
    }
    return readVector(memory, indices, at);
  }
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(operandElement(operand, at, elements));
  Value result = elementwiseLanes(b, op, operands);
  return result ? result : decline(op);
}
