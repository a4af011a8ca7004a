// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights times values, in register tiles; values stay in place.

#include "codegen/cpu/attention/Values.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::checkValues(AttentionState &s, Value batch, Value keyHead) {
  if (!s.form.keep)
    return;
  TileBuilder &b = s.b;
  Value zero = b.splat(0.0);
  SmallVector<Value> sum =
      b.forRange(b.idx(0), s.n, b.idx(1), {zero},
                 [&](Value key, ValueRange outer) -> SmallVector<Value> {
                   return b.forLanes(
                       b.idx(s.form.valueWidth), outer,
                       [&](Value column, Value mask,
                           ValueRange inner) -> SmallVector<Value> {
                         Value v = b.load(s.form.value,
                                          {batch, keyHead, key, column}, mask);
                         return {b.fma(v, zero, inner.front())};
                       });
                 });
  memref::StoreOp::create(b, b.reduce(sum.front(), Reduction::Sum),
                          s.scratch.finite, ValueRange{b.idx(0)});
}

namespace {
/// A group of columns of the values.
struct ValueColumns {
  Value first;
  int panels;
  Value lastMask; ///< lanes of the last panel that exist; null for all
};
} // namespace

/// outputs[row, column] += weights[row, :] . v[:, column], keys ascending.
static void addTile(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                    Value row, int height, const ValueColumns &columns,
                    bool skipZeroWeights) {
  TileBuilder &b = s.b;
  int panels = columns.panels;
  auto at = [&](int p) { return b.add(columns.first, p * kPanelWidth); };
  SmallVector<Value> sums;
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      sums.push_back(b.load(s.scratch.outputs, {b.add(row, r), at(p)}));
  auto weight = [&](int r, Value k) {
    return b.loadScalar(s.scratch.scores, {b.add(row, r), k});
  };
  auto value = [&](int p, Value k) {
    Value key = b.add(chunk.first, k);
    return b.load(s.form.value, {rows.batch, rows.keyHead, key, at(p)},
                  p + 1 == panels ? columns.lastMask : Value());
  };
  sums = multiplyTile(b, height, panels, chunk.count, sums, weight, value,
                      skipZeroWeights);
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(sums[r * panels + p], s.scratch.outputs, {b.add(row, r), at(p)});
}

/// body(columns) over the width of the values.
static void forColumns(AttentionState &s, int panels,
                       llvm::function_ref<void(const ValueColumns &)> body) {
  TileBuilder &b = s.b;
  int64_t width = panels * kPanelWidth;
  int64_t full = s.form.valueWidth / width * width;
  b.forRange(b.idx(0), b.idx(full), b.idx(width),
             [&](Value column) { body({column, panels, {}}); });
  int64_t rest = s.form.valueWidth - full;
  if (rest == 0)
    return;
  Value mask;
  if (rest % kPanelWidth)
    mask = b.laneMask(b.idx(rest % kPanelWidth));
  body({b.idx(full), int((rest + kPanelWidth - 1) / kPanelWidth), mask});
}

void attn::cpu::addValues(AttentionState &s, const HeadRows &rows,
                          const RowTiles &tiles, const Chunk &chunk) {
  TileBuilder &b = s.b;
  auto byTiles = [&] {
    forColumns(s, b.target.attention.panels, [&](const ValueColumns &columns) {
      tiles.emit(b, [&](Value row, int height) {
        addTile(s, rows, chunk, row, height, columns, false);
      });
    });
  };
  if (!s.form.keep)
    return byTiles();
  Value check = b.loadScalar(s.scratch.finite, b.idx(0));
  Value allFinite =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, check, b.f32(0.0));
  b.ifThen(allFinite, byTiles);
  Value someInfinite =
      arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, check, b.f32(0.0));
  b.ifThen(someInfinite, [&] {
    forColumns(s, 1, [&](const ValueColumns &columns) {
      b.forRange(rows.count, [&](Value row) {
        addTile(s, rows, chunk, row, 1, columns, true);
      });
    });
  });
}
