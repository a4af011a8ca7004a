// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.softmax along any dimension.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/tiles/ElementLoops.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static constexpr double kMinusInfinity =
    -std::numeric_limits<double>::infinity();

/// Rows of contiguous elements: lanes along the row.
static void emitRow(TileBuilder &b, Value input, Value output, Value begin,
                    Value size) {
  Value lowest = b.splat(kMinusInfinity);
  SmallVector<Value> maxima = b.forLanes(
      size, lowest,
      [&](Value offset, Value mask, ValueRange carried) -> SmallVector<Value> {
        Value x = b.load(input, b.add(begin, offset), mask);
        if (mask)
          x = arith::SelectOp::create(b, mask, x, lowest);
        return {arith::MaximumFOp::create(b, carried.front(), x)};
      });
  Value largest = b.splat(b.reduce(maxima.front(), Reduction::Max));
  SmallVector<Value> sums = b.forLanes(
      size, b.splat(0.0),
      [&](Value offset, Value mask, ValueRange carried) -> SmallVector<Value> {
        Value at = b.add(begin, offset);
        Value x = arith::SubFOp::create(b, b.load(input, at, mask), largest);
        Value e = math::ExpOp::create(b, x);
        b.store(e, output, at, mask);
        if (mask)
          e = arith::SelectOp::create(b, mask, e, b.splat(0.0));
        return {arith::AddFOp::create(b, carried.front(), e)};
      });
  Value sum = b.splat(b.reduce(sums.front(), Reduction::Sum));
  b.forLanes(size, [&](Value offset, Value mask) {
    Value at = b.add(begin, offset);
    Value e = b.load(output, at, mask);
    b.store(arith::DivFOp::create(b, e, sum), output, at, mask);
  });
}

/// 16 neighbouring columns, each reduced over `size` elements `stride` apart.
static void emitColumns(TileBuilder &b, Value input, Value output, Value begin,
                        Value size, Value stride, Value mask) {
  auto at = [&](Value i) { return b.add(begin, b.mul(i, stride)); };
  SmallVector<Value> maxima =
      b.forRange(b.idx(0), size, b.idx(1), b.splat(kMinusInfinity),
                 [&](Value i, ValueRange carried) -> SmallVector<Value> {
                   Value x = b.load(input, at(i), mask);
                   return {arith::MaximumFOp::create(b, carried.front(), x)};
                 });
  SmallVector<Value> sums =
      b.forRange(b.idx(0), size, b.idx(1), b.splat(0.0),
                 [&](Value i, ValueRange carried) -> SmallVector<Value> {
                   Value x = arith::SubFOp::create(
                       b, b.load(input, at(i), mask), maxima.front());
                   Value e = math::ExpOp::create(b, x);
                   b.store(e, output, at(i), mask);
                   return {arith::AddFOp::create(b, carried.front(), e)};
                 });
  b.forRange(size, [&](Value i) {
    Value e = b.load(output, at(i), mask);
    b.store(arith::DivFOp::create(b, e, sums.front()), output, at(i), mask);
  });
}

static LogicalResult emitSoftmax(TileBuilder &b, Operation *operation) {
  auto op = cast<SoftmaxOp>(operation);
  Value source = b.memory(op.getInput());
  int64_t rank = op.getType().getRank(), axis = op.getAxis();
  Value outer = b.idx(1), inner = b.idx(1), size = b.dim(source, axis);
  for (int64_t d = 0; d < axis; ++d)
    outer = b.mul(outer, b.dim(source, d));
  for (int64_t d = axis + 1; d < rank; ++d)
    inner = b.mul(inner, b.dim(source, d));
  Value input = flatten(b, source);
  Value output = flatten(b, b.memory(op.getResult()));

  auto [first, last] = b.share(outer);
  b.forRange(first, last, b.idx(1), [&](Value row) {
    Value begin = b.mul(row, b.mul(size, inner));
    if (axis == rank - 1)
      return emitRow(b, input, output, begin, size);
    b.forLanes(inner, [&](Value column, Value mask) {
      emitColumns(b, input, output, b.add(begin, column), size, inner, mask);
    });
  });
  return success();
}

const KernelEmitter attn::cpu::softmaxEmitter = {
    .match = matchOp<SoftmaxOp>, .scratchBytes = nullptr, .emit = emitSoftmax};
