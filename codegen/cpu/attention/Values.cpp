// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights times values, in register tiles. Values lie far apart in memory, a
// head's row beside those of others: as panels they pass through the cache.

#include "codegen/cpu/attention/Values.h"

#include "codegen/cpu/attention/KeyRuns.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::packValues(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  Value zero = b.splat(0.0);
  SmallVector<Value> sum =
      b.forRange(b.idx(0), s.n, b.idx(1), {zero},
                 [&](Value key, ValueRange outer) -> SmallVector<Value> {
                   return b.forLanes(
                       b.idx(s.form.valueWidth), outer,
                       [&](Value column, Value mask,
                           ValueRange inner) -> SmallVector<Value> {
                         SmallVector<Value> from = s.keyPlace(rows, key);
                         from.push_back(column);
                         Value v = b.load(s.form.value, from, mask);
                         b.store(v, s.scratch.valuePanels,
                                 {b.div(column, kPanelWidth), key, b.idx(0)});
                         return {s.form.keep ? b.fma(v, zero, inner.front())
                                             : inner.front()};
                       });
                 });
  if (s.form.keep)
    memref::StoreOp::create(b, b.reduce(sum.front(), Reduction::Sum),
                            s.scratch.finite, ValueRange{b.idx(0)});
}

/// outputs[row, panel] += weights[row, :] . v[:, panel], keys ascending.
static void addTile(AttentionState &s, const Chunk &chunk, const KeyRun &run,
                    Value row, int height, Value panel, int panels,
                    bool skipZeroWeights) {
  TileBuilder &b = s.b;
  auto at = [&](int p) { return b.mul(b.add(panel, p), kPanelWidth); };
  SmallVector<Value> sums;
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      sums.push_back(b.load(s.scratch.outputs, {b.add(row, r), at(p)}));
  auto weight = [&](int r, Value k) {
    return b.loadScalar(s.scratch.scores,
                        {b.add(row, r), b.add(run.column, k)});
  };
  Value first = b.add(chunk.first, run.column);
  auto value = [&](int p, Value k) {
    return b.load(s.scratch.valuePanels,
                  {b.add(panel, p), b.add(first, k), b.idx(0)});
  };
  sums = multiplyTile(b, height, panels, run.count, sums, weight, value,
                      {.skipZeros = skipZeroWeights});
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(sums[r * panels + p], s.scratch.outputs, {b.add(row, r), at(p)});
}

/// body(panel, count) for all panels of the values, `group` at a time.
static void forPanels(AttentionState &s, int group,
                      llvm::function_ref<void(Value, int)> body) {
  TileBuilder &b = s.b;
  int64_t panels = s.layout.valueWidth / kPanelWidth;
  int64_t whole = panels / group * group;
  b.forRange(b.idx(0), b.idx(whole), b.idx(group),
             [&](Value panel) { body(panel, group); });
  if (whole < panels)
    body(b.idx(whole), panels - whole);
}

/// Every tile of rows and panels of the values.
static void addTiles(AttentionState &s, const RowTiles &tiles,
                     const Chunk &chunk, const KeyRun &run) {
  forPanels(s, s.b.target.attention.panels, [&](Value panel, int panels) {
    tiles.emit(s.b, [&](Value row, int height) {
      addTile(s, chunk, run, row, height, panel, panels, false);
    });
  });
}

/// Row by row, where some value is not finite.
static void addRows(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                    const KeyRun &run) {
  forPanels(s, 1, [&](Value panel, int panels) {
    s.b.forRange(rows.count, [&](Value row) {
      addTile(s, chunk, run, row, 1, panel, panels, true);
    });
  });
}

void attn::cpu::addValues(AttentionState &s, const HeadRows &rows,
                          const RowTiles &tiles, const Chunk &chunk) {
  TileBuilder &b = s.b;
  if (!s.form.keep)
    return forRuns(s, chunk,
                   [&](const KeyRun &run) { addTiles(s, tiles, chunk, run); });
  Value check = b.loadScalar(s.scratch.finite, b.idx(0));
  Value finite =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, check, b.f32(0.0));
  Value infinite =
      arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, check, b.f32(0.0));
  forRuns(s, chunk, [&](const KeyRun &run) {
    b.ifThen(finite, [&] { addTiles(s, tiles, chunk, run); });
    b.ifThen(infinite, [&] { addRows(s, rows, chunk, run); });
  });
}
