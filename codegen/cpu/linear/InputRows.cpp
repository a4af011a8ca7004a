// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A row's index, back through copies: reshapes keep it, the others are
// arithmetic on coordinates by sizes known when compiling. Only the first
// dimension may be dynamic, and it stays first.

#include "codegen/cpu/linear/InputRows.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/RowCopies.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

InputRows::InputRows(TileBuilder &b, LinearOp op) : b(b), op(op) {
  if (!areMoved(op)) {
    memory = b.asRows(b.memory(op.getInput()));
    count = b.dim(memory, 0);
    return;
  }
  source = readRowCopies(op.getInput()).source;
  memory = b.asRows(b.memory(source));
  count = b.dim(b.asRows(b.memory(op.getOutputs().front())), 0);
}

bool InputRows::areMoved(LinearOp op) {
  return op.getInput().getDefiningOp() != nullptr;
}

Value InputRows::at(Value row) {
  return source ? rowOf(op.getInput(), row) : row;
}

/// Coordinates of a row in all dimensions but the last.
InputRows::Coordinates InputRows::split(Value tensor, Value row) {
  auto shape = cast<RankedTensorType>(tensor.getType()).getShape().drop_back();
  Coordinates coordinates(shape.size());
  for (size_t d = shape.size(); --d > 0; row = b.div(row, shape[d]))
    coordinates[d] = b.rem(row, shape[d]);
  coordinates[0] = row;
  return coordinates;
}

Value InputRows::join(Value tensor, ArrayRef<Value> coordinates) {
  auto shape = cast<RankedTensorType>(tensor.getType()).getShape().drop_back();
  Value row = coordinates[0];
  for (size_t d = 1; d < shape.size(); ++d)
    row = b.add(b.mul(row, shape[d]), coordinates[d]);
  return row;
}

/// The slices are of one tensor: where coordinates lie in it is chosen by the
/// one along which they are joined.
Value InputRows::rowOfConcat(tensor::ConcatOp concat, Value row) {
  Coordinates joined = split(concat, row), chosen;
  size_t axis = concat.getDim();
  Value from;
  int64_t begin = 0;
  for (Value input : concat.getInputs()) {
    auto slice = input.getDefiningOp<tensor::ExtractSliceOp>();
    Coordinates coordinates = joined;
    coordinates[axis] = b.sub(coordinates[axis], b.idx(begin));
    for (auto [d, coordinate] : llvm::enumerate(coordinates))
      coordinate = b.add(coordinate, slice.getStaticOffsets()[d]);
    if (chosen.empty())
      chosen = coordinates;
    Value before = b.less(joined[axis], b.idx(begin));
    for (auto [old, now] : llvm::zip_equal(chosen, coordinates))
      old = b.select(before, old, now);
    begin += slice.getType().getDimSize(axis);
    from = slice.getSource();
  }
  return rowOf(from, join(from, chosen));
}

Value InputRows::rowOf(Value tensor, Value row) {
  if (tensor == source)
    return row;
  Operation *op = tensor.getDefiningOp();
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return rowOfConcat(concat, row);
  Value from = op->getOperand(0);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    Coordinates coordinates = split(tensor, row);
    for (auto [d, coordinate] : llvm::enumerate(coordinates))
      coordinate = b.add(coordinate, slice.getStaticOffsets()[d]);
    return rowOf(from, join(from, coordinates));
  }
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    Coordinates coordinates = split(tensor, row), before(coordinates.size());
    for (auto [d, value] : llvm::enumerate(coordinates))
      before[transpose.getPermutation()[d]] = value;
    return rowOf(from, join(from, before));
  }
  return rowOf(from, row);
}
