// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows split into register tiles of balanced height.

#include "codegen/cpu/tiles/RowTiles.h"

using namespace mlir;
using namespace attn::cpu;

RowTiles::RowTiles(TileBuilder &b, Value first, Value count, int tallest) {
  // No rows, no tiles; the divisor stays positive.
  tiles = b.max(b.ceilDiv(count, tallest), b.idx(1));
  Value low = b.div(count, tiles);
  Value higher = b.sub(count, b.mul(low, tiles)); // tiles of height low + 1
  Value lower = b.sub(tiles, higher);
  Value row = first;
  for (int height = tallest; height > 0; --height) {
    auto pick = [&](Value isHeight, Value number) {
      return b.select(isHeight, number, b.idx(0));
    };
    Value number = b.add(pick(b.equal(b.add(low, 1), b.idx(height)), higher),
                         pick(b.equal(low, b.idx(height)), lower));
    Value end = b.add(row, b.mul(number, height));
    runs.push_back({height, row, end});
    row = end;
  }
}

void RowTiles::emit(TileBuilder &b,
                    llvm::function_ref<void(Value, int)> body) const {
  for (const Run &run : runs)
    b.forRange(run.first, run.end, b.idx(run.height),
               [&](Value row) { body(row, run.height); });
}

/// The sums after one step of k.
static SmallVector<Value>
multiplyStep(TileBuilder &b, int rows, int panels, Value k, ValueRange sums,
             llvm::function_ref<Value(int, Value)> left,
             llvm::function_ref<Value(int, Value)> right, bool skipZeros) {
  SmallVector<Value> columns, next;
  for (int p = 0; p < panels; ++p)
    columns.push_back(right(p, k));
  for (int r = 0; r < rows; ++r) {
    Value x = b.splat(left(r, k));
    for (int p = 0; p < panels; ++p) {
      Value sum = sums[r * panels + p];
      Value added = b.fma(x, columns[p], sum);
      if (skipZeros) {
        Value counts = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x,
                                             b.splat(0.0));
        added = arith::SelectOp::create(b, counts, added, sum);
      }
      next.push_back(added);
    }
  }
  return next;
}

SmallVector<Value> attn::cpu::multiplyTile(
    TileBuilder &b, int rows, int panels, Value depth, ArrayRef<Value> sums,
    llvm::function_ref<Value(int, Value)> left,
    llvm::function_ref<Value(int, Value)> right, MultiplyOptions options) {
  // The walk is carried, not computed from k: the product with a step that
  // varies would stay in the loop.
  SmallVector<Value> carried(sums);
  if (options.walk)
    carried.push_back(options.walkFrom);
  carried = b.forRange(
      b.idx(0), depth, b.idx(options.unroll), carried,
      [&](Value k, ValueRange values) {
        SmallVector<Value> next(values.take_front(sums.size()));
        if (options.walk)
          options.walk(values.back());
        for (int step = 0; step < options.unroll; ++step)
          next = multiplyStep(b, rows, panels, b.add(k, step), next, left,
                              right, options.skipZeros);
        if (options.walk)
          next.push_back(
              b.add(values.back(), b.mul(options.walkStep, options.unroll)));
        return next;
      });
  carried.truncate(sums.size());
  return carried;
}
