// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Counts floating point operations and bytes.

#include "passes/Cost.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

namespace {

/// Products and sums that remember an overflow.
class Counter {
public:
  Counter &times(const DimExpr &factor) {
    value = value ? DimExpr::multiply(*value, factor) : std::nullopt;
    return *this;
  }
  Counter &times(int64_t factor) { return times(DimExpr::constant(factor)); }
  Counter &times(ArrayRef<DimExpr> factors) {
    for (const DimExpr &factor : factors)
      times(factor);
    return *this;
  }
  std::optional<DimExpr> get() const { return value; }

private:
  std::optional<DimExpr> value = DimExpr::constant(1);
};

std::optional<DimExpr> add(std::optional<DimExpr> a, std::optional<DimExpr> b) {
  return a && b ? DimExpr::add(*a, *b) : std::nullopt;
}

std::optional<DimExpr> linearFlops(LinearOp op, const SymbolicShapes &shapes) {
  std::optional<DimExpr> sum = DimExpr();
  for (Value output : op.getOutputs())
    sum = add(sum, Counter()
                       .times(2)
                       .times(shapes.shapeOf(output))
                       .times(shapes.shapeOf(op.getInput()).back())
                       .get());
  return sum;
}

/// Operations on vectors that a region computes for each pair: what a query or
/// a key alone decides is not done again. Elementary functions count as one.
int64_t pairFlops(AttentionOp op, Region &region) {
  if (region.empty())
    return 0;
  enum : unsigned { Row = 1, Key = 2 };
  llvm::DenseMap<Value, unsigned> sides;
  unsigned vectors = 2 * op.getQueries().size();
  for (BlockArgument argument : region.getArguments()) {
    unsigned number = argument.getArgNumber();
    if (number < vectors)
      sides[argument] = number % 2 ? Key : Row;
  }
  int64_t flops = 0;
  for (Operation &inner : region.front().without_terminator()) {
    unsigned side = 0;
    for (Value operand : inner.getOperands())
      side |= sides.lookup(operand);
    for (Value result : inner.getResults())
      sides[result] = side;
    auto vector =
        inner.getNumOperands() == 0
            ? RankedTensorType()
            : dyn_cast<RankedTensorType>(inner.getOperand(0).getType());
    if (side == (Row | Key) && vector && vector.getRank() == 1)
      flops += vector.getDimSize(0) * (isa<DotOp>(inner) ? 2 : 1);
  }
  return flops;
}

std::optional<DimExpr> attentionFlops(AttentionOp op,
                                      const SymbolicShapes &shapes) {
  ArrayRef<DimExpr> query = shapes.shapeOf(op.getQueries().front());
  ArrayRef<DimExpr> value = shapes.shapeOf(op.getValue());
  int64_t regions = 0;
  for (Region *region : {&op.getScore(), &op.getKeep(), &op.getWeight()})
    regions += pairFlops(op, *region);
  std::optional<DimExpr> each = Counter().times(2).times(value[3]).get();
  each = add(each, DimExpr::constant(regions));
  if (!each)
    return std::nullopt;
  return Counter()
      .times(query.take_front(3))
      .times(value[2])
      .times(*each)
      .get();
}

std::optional<DimExpr> flopsOf(Operation *op, const SymbolicShapes &shapes) {
  return llvm::TypeSwitch<Operation *, std::optional<DimExpr>>(op)
      .Case([&](LinearOp linear) { return linearFlops(linear, shapes); })
      .Case([&](AttentionOp attention) {
        return attentionFlops(attention, shapes);
      })
      .Case([&](MatmulOp matmul) {
        return Counter()
            .times(2)
            .times(shapes.shapeOf(matmul.getResult()))
            .times(shapes.shapeOf(matmul.getA()).back())
            .get();
      })
      .Default([](Operation *) { return DimExpr(); });
}

std::optional<DimExpr> bytesOf(Value value, const SymbolicShapes &shapes) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.getElementType().isIntOrFloat())
    return DimExpr();
  return Counter()
      .times((type.getElementTypeBitWidth() + 7) / 8)
      .times(shapes.shapeOf(value))
      .get();
}

/// Operations that move nothing: values that exist already, seen anew.
bool isFree(Operation *op) {
  return isa<WeightOp, GetParameterOp, tensor::EmptyOp, tensor::DimOp,
             tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
             op) ||
         op->hasTrait<OpTrait::ConstantLike>() ||
         op->hasTrait<OpTrait::IsTerminator>();
}

std::optional<Cost> costOfBlock(Block &block, const SymbolicShapes &shapes) {
  Cost total;
  for (Operation &op : block) {
    std::optional<Cost> cost = costOf(&op, shapes);
    std::optional<Cost> sum = cost ? Cost::add(total, *cost) : std::nullopt;
    if (!sum)
      return std::nullopt;
    total = *sum;
  }
  return total;
}

std::optional<Cost> costOfLoop(LoopLikeOpInterface loop,
                               const SymbolicShapes &shapes) {
  std::optional<DimExpr> times = iterationsOf(loop, shapes);
  std::optional<Cost> body =
      costOfBlock(loop.getLoopRegions().front()->front(), shapes);
  if (!body || !times)
    return std::nullopt;
  std::optional<DimExpr> flops = DimExpr::multiply(body->flops, *times);
  std::optional<DimExpr> bytes = DimExpr::multiply(body->bytes, *times);
  return flops && bytes ? std::optional(Cost{*flops, *bytes}) : std::nullopt;
}

/// Whether `op` reads a part of its first operand only: as much as it gives.
bool readsPart(Operation *op, Value operand) {
  auto embedding = dyn_cast<EmbeddingOp>(op);
  return isa<tensor::ExtractSliceOp>(op) ||
         (embedding && embedding.getTable() == operand);
}

/// Bytes that `op` reads of an operand: of a table the rows it looks up, of
/// what it slices the slice.
std::optional<DimExpr> bytesRead(Operation *op, Value operand,
                                 const SymbolicShapes &shapes) {
  return bytesOf(readsPart(op, operand) ? op->getResult(0) : operand, shapes);
}

/// Bytes of an argument of a kernel, in its layout.
std::optional<DimExpr> bytesOfArgument(BlockArgument argument,
                                       const SymbolicShapes &inside) {
  auto kernel = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto panels =
      kernel.getArgAttrOfType<PanelsAttr>(argument.getArgNumber(), kLayoutAttr);
  if (!panels || !panels.getStored())
    return bytesOf(argument, inside);
  return Counter()
      .times(panels.getStored().getIntOrFloatBitWidth() / 8)
      .times(inside.shapeOf(argument))
      .get();
}

/// Bytes that a kernel reads of an argument: all of it, or parts.
std::optional<DimExpr> bytesReadInside(BlockArgument argument,
                                       const SymbolicShapes &inside) {
  std::optional<DimExpr> parts = DimExpr();
  for (Operation *user : argument.getUsers()) {
    if (isa<tensor::DimOp>(user))
      continue;
    if (!readsPart(user, argument))
      return bytesOfArgument(argument, inside);
    parts = add(parts, bytesRead(user, argument, inside));
  }
  return argument.use_empty() ? bytesOfArgument(argument, inside) : parts;
}

std::optional<Cost> costOfLaunch(LaunchOp launch,
                                 const SymbolicShapes &shapes) {
  FailureOr<SymbolicShapes> inside = shapes.insideOf(launch);
  if (failed(inside))
    return std::nullopt;
  auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      launch, launch.getKernelAttr());
  std::optional<Cost> body = costOfBlock(kernel.getBody().front(), *inside);
  std::optional<DimExpr> bytes = DimExpr();
  for (BlockArgument argument : kernel.getArguments())
    bytes = add(bytes, bytesReadInside(argument, *inside));
  for (Value result : launch.getOutputs())
    bytes = add(bytes, bytesOf(result, shapes));
  return body && bytes ? std::optional(Cost{body->flops, *bytes})
                       : std::nullopt;
}

} // namespace

std::optional<Cost> Cost::add(const Cost &a, const Cost &b) {
  std::optional<DimExpr> flops = DimExpr::add(a.flops, b.flops);
  std::optional<DimExpr> bytes = DimExpr::add(a.bytes, b.bytes);
  return flops && bytes ? std::optional(Cost{*flops, *bytes}) : std::nullopt;
}

std::optional<DimExpr> attn::iterationsOf(LoopLikeOpInterface loop,
                                          const SymbolicShapes &shapes) {
  if (auto scan = dyn_cast<ScanOp>(loop.getOperation()))
    return shapes.stepsOf(scan);
  auto layers = dyn_cast<scf::ForOp>(loop.getOperation());
  std::optional<APInt> count =
      layers ? layers.getStaticTripCount() : std::nullopt;
  return count ? std::optional(DimExpr::constant(count->getSExtValue()))
               : std::nullopt;
}

std::optional<Cost> attn::costOf(Operation *op, const SymbolicShapes &shapes) {
  if (auto loop = dyn_cast<LoopLikeOpInterface>(op))
    return costOfLoop(loop, shapes);
  if (auto launch = dyn_cast<LaunchOp>(op))
    return costOfLaunch(launch, shapes);
  if (isFree(op))
    return Cost{};
  std::optional<DimExpr> bytes = DimExpr();
  for (Value operand : op->getOperands())
    bytes = add(bytes, bytesRead(op, operand, shapes));
  for (Value result : op->getResults())
    bytes = add(bytes, bytesOf(result, shapes));
  std::optional<DimExpr> flops = flopsOf(op, shapes);
  return flops && bytes ? std::optional(Cost{*flops, *bytes}) : std::nullopt;
}

static bool isParameter(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return isa_and_nonnull<GetParameterOp>(op);
}

std::optional<DimExpr> attn::weightBytesOf(LaunchOp launch,
                                           const SymbolicShapes &shapes) {
  FailureOr<SymbolicShapes> inside = shapes.insideOf(launch);
  if (failed(inside))
    return std::nullopt;
  auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      launch, launch.getKernelAttr());
  std::optional<DimExpr> bytes = DimExpr();
  for (auto [operand, argument] :
       llvm::zip(launch.getInputs(), kernel.getArguments()))
    if (isParameter(operand))
      bytes = add(bytes, bytesReadInside(argument, *inside));
  return bytes;
}

FailureOr<Cost> attn::costOf(func::FuncOp function) {
  FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(function);
  if (failed(shapes))
    return failure();
  std::optional<Cost> cost = costOfBlock(function.getBody().front(), *shapes);
  if (!cost)
    return function.emitError("costs more than 64 bits count");
  return *cost;
}

double attn::evaluate(const DimExpr &value, ArrayRef<int64_t> sizes) {
  double sum = 0;
  for (const auto &[monomial, coefficient] : value.terms()) {
    double product = coefficient;
    for (unsigned symbol : monomial)
      product *= sizes[symbol];
    sum += product;
  }
  return sum;
}
