// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Picks rows as early as operations that treat rows one by one allow.

#include "passes/cache/LastRows.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace attn;

namespace {

class RowPicker {
public:
  RowPicker(func::FuncOp function, const TokenRows &tokens, Value picked,
            Value count)
      : function(function), tokens(tokens), picked(picked), count(count) {}

  void run() {
    findTail();
    SmallVector<Operation *> operations;
    for (Operation &op : function.getBody().front())
      if (tail.contains(&op))
        operations.push_back(&op);
    for (Operation *op : operations)
      narrow(op);
    auto result = function.getBody().front().getTerminator();
    if (Operation *source = result->getOperand(0).getDefiningOp();
        !source || !tail.contains(source))
      result->setOperand(0, pick(result->getOperand(0), result));
  }

private:
  static bool holdsIntegers(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getElementType().isInteger();
  }
  bool isRow(Value value) const { return tokens.rowsOf(value).has_value(); }

  /// The operations on rows that no attention needs. Rows of integers are not
  /// picked, and reshapes come before: they cost nothing there.
  void findTail() {
    llvm::DenseSet<Operation *> needed;
    auto need = [&](Operation *op) {
      needed.insert(op);
      for (Value operand : op->getOperands())
        if (Operation *producer = operand.getDefiningOp())
          needed.insert(producer);
    };
    Block &block = function.getBody().front();
    for (Operation &op : llvm::reverse(block.without_terminator())) {
      bool hasIntegers = llvm::any_of(op.getResults(), holdsIntegers) ||
                         llvm::any_of(op.getOperands(), [&](Value operand) {
                           return isRow(operand) && holdsIntegers(operand);
                         });
      if (hasIntegers || isa<AttentionOp>(op) || needed.contains(&op))
        need(&op);
    }
    for (Operation &op : block.without_terminator()) {
      if (needed.contains(&op) || isa<tensor::EmptyOp>(op) ||
          !llvm::any_of(op.getResults(), [&](Value v) { return isRow(v); }))
        continue;
      bool isReshape = isa<linalg::TransposeOp, tensor::ExpandShapeOp,
                           tensor::CollapseShapeOp>(op) &&
                       op.getOperand(0).getDefiningOp() &&
                       !tail.contains(op.getOperand(0).getDefiningOp());
      if (!isReshape)
        tail.insert(&op);
    }
  }

  void narrow(Operation *op) {
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    for (Value value : used) {
      Value replacement;
      if (tokens.isCount(value))
        replacement = count;
      else if (isRow(value) && !tail.contains(value.getDefiningOp()))
        replacement = pick(value, op);
      if (replacement)
        op->replaceUsesOfWith(value, replacement);
    }
  }

  Value pick(Value value, Operation *user) {
    if (auto empty = value.getDefiningOp<tensor::EmptyOp>()) {
      OpBuilder builder(user);
      Operation *copy = builder.clone(*empty);
      for (OpOperand &size : copy->getOpOperands())
        if (tokens.isCount(size.get()))
          size.set(count);
      return copy->getResult(0);
    }
    Value &result = done[value];
    if (!result) {
      OpBuilder builder(function.getContext());
      if (value.getDefiningOp())
        builder.setInsertionPointAfterValue(value);
      else
        builder.setInsertionPointAfterValue(picked);
      result = pickRows(builder, value, *tokens.rowsOf(value));
    }
    return result;
  }

  /// Rows first, as a table; picked; and back.
  Value pickRows(OpBuilder &builder, Value value, int64_t row) {
    auto type = cast<RankedTensorType>(value.getType());
    bool isLeading = llvm::all_of(type.getShape().take_front(row),
                                  [](int64_t size) { return size == 1; });
    if (!isLeading) {
      SmallVector<int64_t> order{row};
      for (int64_t d = 0; d < type.getRank(); ++d)
        if (d != row)
          order.push_back(d);
      Value front = transpose(builder, value, order, /*rows=*/0);
      Value rows = pickRows(builder, front, 0);
      return transpose(builder, rows, invertPermutationVector(order), row);
    }
    Location loc = value.getLoc();
    SmallVector<ReassociationIndices> groups(2);
    for (int64_t d = 0; d < type.getRank(); ++d)
      groups[d <= row ? 0 : 1].push_back(d);
    int64_t width = 1;
    for (int64_t size : type.getShape().drop_front(row + 1))
      width *= size;
    auto tableType = RankedTensorType::get({ShapedType::kDynamic, width},
                                           type.getElementType());
    Value table = reshapeTo(builder, loc, value, tableType, groups);
    Value rows = EmbeddingOp::create(builder, loc, tableType, picked, table);
    if (rows.getType() == type)
      return rows;
    SmallVector<OpFoldResult> sizes;
    for (auto [d, size] : llvm::enumerate(type.getShape()))
      sizes.push_back(static_cast<int64_t>(d) == row
                          ? OpFoldResult(count)
                          : builder.getIndexAttr(size));
    if (groups[1].empty())
      return tensor::CollapseShapeOp::create(
          builder, loc, type, rows, ArrayRef<ReassociationIndices>{{0, 1}});
    return tensor::ExpandShapeOp::create(builder, loc, type, rows, groups,
                                         sizes);
  }

  Value reshapeTo(OpBuilder &builder, Location loc, Value value,
                  RankedTensorType table,
                  ArrayRef<ReassociationIndices> groups) {
    if (value.getType() == table)
      return value;
    if (!groups[1].empty())
      return tensor::CollapseShapeOp::create(builder, loc, table, value,
                                             groups);
    Value rows = tensor::DimOp::create(builder, loc, value, 0);
    return tensor::ExpandShapeOp::create(
        builder, loc, table, value, ArrayRef<ReassociationIndices>{{0, 1}},
        ArrayRef<OpFoldResult>{rows, builder.getIndexAttr(1)});
  }

  Value transpose(OpBuilder &builder, Value value, ArrayRef<int64_t> order,
                  int64_t row) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape = applyPermutation(type.getShape(), order);
    SmallVector<OpFoldResult> sizes;
    for (auto [d, size] : llvm::enumerate(shape))
      if (static_cast<int64_t>(d) == row)
        sizes.push_back(
            tensor::DimOp::create(builder, value.getLoc(), value, order[d])
                .getResult());
      else
        sizes.push_back(builder.getIndexAttr(size));
    Value empty = tensor::EmptyOp::create(builder, value.getLoc(), sizes,
                                          type.getElementType());
    return linalg::TransposeOp::create(builder, value.getLoc(), value, empty,
                                       order)
        ->getResult(0);
  }

  func::FuncOp function;
  const TokenRows &tokens;
  Value picked, count;
  llvm::DenseSet<Operation *> tail;
  llvm::DenseMap<Value, Value> done;
};

} // namespace

void attn::pickResultRows(func::FuncOp function, const TokenRows &tokens,
                          Value picked, Value count) {
  RowPicker(function, tokens, picked, count).run();
}
