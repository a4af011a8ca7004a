// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies of whole rows.

#include "passes/RowCopies.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace attn;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static bool isReshape(Operation *op) {
  return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op);
}

/// Rows of `width`, all of whose dimensions but the first are static.
static bool hasRows(Value value, int64_t width) {
  RankedTensorType type = typeOf(value);
  return type.getRank() >= 2 && type.getShape().back() == width &&
         !llvm::is_contained(type.getShape().drop_front(),
                             ShapedType::kDynamic);
}

/// A part of the rows; all of each.
static bool isRowSlice(tensor::ExtractSliceOp slice, int64_t width) {
  ArrayRef<int64_t> offsets = slice.getStaticOffsets();
  return hasRows(slice.getSource(), width) && hasRows(slice, width) &&
         slice.getSourceType().getRank() == slice.getType().getRank() &&
         slice.hasUnitStride() && offsets.front() == 0 && offsets.back() == 0 &&
         !llvm::is_contained(offsets, ShapedType::kDynamic);
}

/// Slices of one tensor, put together in another order, no more than it has.
static bool isRowConcat(tensor::ConcatOp concat, int64_t width) {
  int64_t rank = concat.getResultType().getRank();
  if (concat.getDim() == 0 ||
      concat.getDim() == static_cast<uint64_t>(rank) - 1 ||
      !hasRows(concat, width))
    return false;
  Value source;
  for (Value input : concat.getInputs()) {
    auto slice = input.getDefiningOp<tensor::ExtractSliceOp>();
    if (!slice || !isRowSlice(slice, width) ||
        (source && slice.getSource() != source))
      return false;
    source = slice.getSource();
  }
  // More rows than there were would be computed more than once.
  return concat.getResultType().getDimSize(concat.getDim()) <=
         typeOf(source).getDimSize(concat.getDim());
}

static bool isRowTranspose(linalg::TransposeOp transpose, int64_t width) {
  ArrayRef<int64_t> order = transpose.getPermutation();
  return hasRows(transpose.getInput(), width) && order.front() == 0 &&
         order.back() == static_cast<int64_t>(order.size()) - 1;
}

static bool copiesRows(Operation *op, int64_t width) {
  if (!op || op->getNumResults() != 1)
    return false;
  if (isReshape(op))
    return typeOf(op->getOperand(0)).getRank() == 1 ||
           typeOf(op->getOperand(0)).getShape().back() == width;
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return isRowSlice(slice, width);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return isRowConcat(concat, width);
  auto transpose = dyn_cast<linalg::TransposeOp>(op);
  return transpose && isRowTranspose(transpose, width);
}

/// What the copy moves: its operands but for sizes and destinations.
static SmallVector<Value> moved(Operation *op) {
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return SmallVector<Value>(concat.getInputs());
  return {op->getOperand(0)};
}

bool RowCopies::movesRows() const {
  return llvm::any_of(operations, [](Operation *op) { return !isReshape(op); });
}

RowCopies attn::readRowCopies(Value value) {
  int64_t width = typeOf(value).getShape().back();
  RowCopies copies{nullptr, {}};
  SmallVector<Value> worklist{value};
  while (!worklist.empty()) {
    Value next = worklist.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (copiesRows(op, width)) {
      if (copies.operations.insert(op))
        llvm::append_range(worklist, moved(op));
    } else if (copies.source && copies.source != next) {
      return {};
    } else {
      copies.source = next;
    }
  }
  if (!hasRows(copies.source, width))
    return {};
  SmallVector<Operation *> order = copies.operations.takeVector();
  llvm::sort(order,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  copies.operations.insert_range(order);
  return copies;
}

RowCopies attn::absorbedRowCopies(LinearOp linear) {
  RankedTensorType type = typeOf(linear.getInput());
  if (ShapedType::isDynamic(type.getShape().back()))
    return {};
  RowCopies copies = readRowCopies(linear.getInput());
  if (!copies.source || !copies.movesRows())
    return {};
  for (Operation *op : copies.operations) {
    if (op->getBlock() != linear->getBlock())
      return {};
    for (OpOperand &use : op->getUses())
      if (!copies.operations.contains(use.getOwner()) &&
          &use != &linear.getInputMutable())
        return {};
  }
  return copies;
}

LinearOp attn::findAbsorbingLinear(Operation *copy) {
  for (Operation *op = copy; op && !op->use_empty(); op = *op->user_begin()) {
    if (auto linear = dyn_cast<LinearOp>(op))
      return absorbedRowCopies(linear).operations.contains(copy) ? linear
                                                                 : LinearOp();
    if (!isReshape(op) &&
        !isa<tensor::ExtractSliceOp, tensor::ConcatOp, linalg::TransposeOp>(op))
      return {};
  }
  return {};
}
