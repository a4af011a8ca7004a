// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// copy(linear(x, w)) => linear(copy(x), w), copy(norm(x)) => norm(copy(x)).

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/RowCopies.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_HOISTROWCOPIES
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-hoist-row-copies";

/// What all readers of `value`, through copies and reshapes, read in the end;
/// null where that is not one value.
static Value findEnd(Value value) {
  llvm::SetVector<Value> worklist, ends;
  worklist.insert(value);
  while (!worklist.empty()) {
    Value next = worklist.pop_back_val();
    for (Operation *user : next.getUsers())
      if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
              tensor::ExtractSliceOp, tensor::ConcatOp, linalg::TransposeOp>(
              user))
        worklist.insert(user->getResult(0));
      else
        ends.insert(next);
    if (next.use_empty())
      return {};
  }
  return ends.size() == 1 ? ends.front() : Value();
}

/// The copies between the row-wise operation's result and their end; empty
/// where rows are not moved as a whole.
static RowCopies copiesBehind(Operation *op, Value end) {
  if (!end || end == op->getResult(0) ||
      ShapedType::isDynamic(
          cast<RankedTensorType>(end.getType()).getShape().back()))
    return {};
  RowCopies copies = readRowCopies(end);
  return copies.source == op->getResult(0) && copies.movesRows() ? copies
                                                                 : RowCopies();
}

/// Whether every capture is read by the column alone.
static bool capturesColumns(LinearOp linear) {
  if (!linear.getCaptureMapsAttr())
    return true;
  for (auto map : linear.getCaptureMapsAttr().getAsValueRange<AffineMapAttr>())
    for (AffineExpr expr : map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr);
          dim && dim.getPosition() + 1 != map.getNumDims())
        return false;
  return true;
}

static std::optional<std::string> whyNot(Operation *op, Value end) {
  if (auto linear = dyn_cast<LinearOp>(op)) {
    if (!capturesColumns(linear))
      return "its epilogue depends on the row";
    return std::nullopt;
  }
  if (auto norm = dyn_cast<LayerNormOp>(op); norm && norm.getAxes() != 1)
    return "it normalises more than rows";
  // Above a norm, copies are of use where the norm becomes a prologue.
  for (OpOperand &use : end.getUses())
    if (auto linear = dyn_cast<LinearOp>(use.getOwner());
        !linear || &use != &linear.getInputMutable())
      return "its rows are also read by " +
             use.getOwner()->getName().getStringRef().str();
  return std::nullopt;
}

static SmallVector<OpFoldResult>
withWidth(OpBuilder &builder, SmallVector<OpFoldResult> sizes, int64_t width) {
  sizes.back() = builder.getIndexAttr(width);
  return sizes;
}

/// The same copy of rows that are `width` wide.
static Value cloneCopy(OpBuilder &builder, Operation *op, IRMapping &mapping,
                       int64_t width) {
  Location loc = op->getLoc();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Value from = mapping.lookup(op->getOperand(0));
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = width;
    return tensor::ExpandShapeOp::create(
        builder, loc, type.clone(shape), from, expand.getReassociationIndices(),
        withWidth(builder, expand.getMixedOutputShape(), width));
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return tensor::CollapseShapeOp::create(builder, loc, from,
                                           collapse.getReassociationIndices());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return tensor::ExtractSliceOp::create(
        builder, loc, from, slice.getMixedOffsets(),
        withWidth(builder, slice.getMixedSizes(), width),
        slice.getMixedStrides());
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    SmallVector<Value> inputs;
    for (Value input : concat.getInputs())
      inputs.push_back(mapping.lookup(input));
    return tensor::ConcatOp::create(builder, loc, concat.getDim(), inputs);
  }
  auto transpose = cast<linalg::TransposeOp>(op);
  auto empty = transpose.getInit().getDefiningOp<tensor::EmptyOp>();
  SmallVector<OpFoldResult> sizes =
      empty ? empty.getMixedSizes()
            : tensor::getMixedSizes(builder, loc, transpose.getInit());
  Value into = tensor::EmptyOp::create(
      builder, loc, withWidth(builder, sizes, width), type.getElementType());
  return linalg::TransposeOp::create(builder, loc, from, into,
                                     transpose.getPermutation())
      ->getResult(0);
}

/// Maps of columns alone, from the coordinates of a result of another rank.
static ArrayAttr mapsOfRank(OpBuilder &builder, ArrayAttr maps, int64_t rank) {
  SmallVector<AffineMap> changed;
  for (auto map : maps.getAsValueRange<AffineMapAttr>()) {
    SmallVector<AffineExpr> results(map.getResults());
    for (AffineExpr &expr : results)
      if (isa<AffineDimExpr>(expr))
        expr = builder.getAffineDimExpr(rank - 1);
    changed.push_back(AffineMap::get(rank, 0, results, builder.getContext()));
  }
  return builder.getAffineMapArrayAttr(changed);
}

static void hoist(OpBuilder &builder, Operation *op, Value end,
                  const RowCopies &copies) {
  Value input = op->getOperand(0);
  int64_t width = cast<RankedTensorType>(input.getType()).getShape().back();
  IRMapping mapping;
  mapping.map(op->getResult(0), input);
  for (Operation *copy : copies.operations) {
    builder.setInsertionPoint(copy);
    mapping.map(copy->getResult(0), cloneCopy(builder, copy, mapping, width));
  }
  builder.setInsertionPointAfter(end.getDefiningOp());
  Operation *moved = builder.clone(*op);
  moved->setOperand(0, mapping.lookup(end));
  moved->getResult(0).setType(end.getType());
  moved->removeAttr(kTapAttr);
  if (auto linear = dyn_cast<LinearOp>(moved);
      linear && linear.getCaptureMapsAttr())
    linear.setCaptureMapsAttr(
        mapsOfRank(builder, linear.getCaptureMapsAttr(),
                   cast<RankedTensorType>(end.getType()).getRank()));
  remarkDone(kPass, op, "reads through the copies of rows behind it");
  end.replaceAllUsesWith(moved->getResult(0));
  for (Operation *copy : llvm::reverse(copies.operations))
    copy->erase();
  op->erase();
}

namespace {
struct HoistRowCopies : attn::impl::HoistRowCopiesBase<HoistRowCopies> {
  void runOnOperation() override {
    SmallVector<Operation *> candidates;
    for (Operation &op : getOperation().getBody().front())
      if (isa<LayerNormOp, RmsNormOp>(op) ||
          (isa<LinearOp>(op) && op.getNumResults() == 1))
        candidates.push_back(&op);
    OpBuilder builder(&getContext());
    for (Operation *op : candidates) {
      Value end = findEnd(op->getResult(0));
      RowCopies copies = copiesBehind(op, end);
      if (!copies.source)
        continue;
      if (std::optional<std::string> reason = whyNot(op, end))
        remarkDeclined(kPass, op, *reason);
      else
        hoist(builder, op, end, copies);
    }
  }
};
} // namespace
