// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows split into register tiles of balanced height.

#include "codegen/cpu/tiles/RowTiles.h"

using namespace mlir;
using namespace attn::cpu;

RowTiles::RowTiles(TileBuilder &b, Value first, Value count, int tallest,
                   int step) {
  auto when = [&](Value condition, Value number) {
    return b.select(condition, number, b.idx(0));
  };
  Value isSingle = step > 1 ? b.equal(count, b.idx(1)) : Value();
  Value steps = b.ceilDiv(count, step);
  // No rows, no tiles; the divisor stays positive.
  tiles = b.max(b.ceilDiv(steps, tallest / step), b.idx(1));
  Value low = b.div(steps, tiles);
  Value higher = b.sub(steps, b.mul(low, tiles)); // tiles of one step more
  Value lower = b.sub(tiles, higher);
  Value row = first;
  auto add = [&](int height, Value number) {
    Value end = b.add(row, b.mul(number, height));
    runs.push_back({height, row, end});
    row = end;
  };
  for (int height = tallest; height > 0; height -= step) {
    Value inSteps = b.idx(height / step);
    Value number = b.add(when(b.equal(b.add(low, 1), inSteps), higher),
                         when(b.equal(low, inSteps), lower));
    if (isSingle && height == step)
      number = b.select(isSingle, b.idx(0), number);
    add(height, number);
  }
  if (isSingle)
    add(1, when(isSingle, b.idx(1)));
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
  Value first = options.first ? options.first : b.idx(0);
  carried = b.forRange(
      first, b.add(first, depth), b.idx(options.unroll), carried,
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
