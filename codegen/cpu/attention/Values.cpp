// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights times values, in register tiles. Values lie far apart in memory, a
// head's row beside those of others: as panels they pass through the cache.

#include "codegen/cpu/attention/Values.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::startValues(AttentionState &s) {
  if (s.form.keep)
    memref::StoreOp::create(s.b, s.b.f32(0.0), s.scratch.finite,
                            ValueRange{s.b.idx(0)});
}

void attn::cpu::packValues(AttentionState &s, const HeadRows &rows,
                           const Keys &keys) {
  TileBuilder &b = s.b;
  Value zero = b.splat(0.0);
  auto pack = [&](Value key, Value column, Value mask) {
    SmallVector<Value> from = s.keyPlace(rows, key);
    from.push_back(column);
    Value v = b.load(s.form.value, from, mask);
    b.store(v, s.scratch.valuePanels,
            {b.div(column, kPanelWidth), key, b.idx(0)});
    return v;
  };
  // NaN where some value is not finite, else 0.
  Value check = b.forRange(
      keys.first, b.add(keys.first, keys.count), b.idx(1), {zero},
      [&](Value key, ValueRange outer) {
        return b.forLanes(b.idx(s.form.valueWidth), outer,
                          [&](Value column, Value mask,
                              ValueRange inner) -> SmallVector<Value> {
                            Value v = pack(key, column, mask);
                            return {s.form.keep ? b.fma(v, zero, inner[0])
                                                : inner[0]};
                          });
      })[0];
  if (!s.form.keep)
    return;
  Value before = b.loadScalar(s.scratch.finite, b.idx(0));
  Value sum = arith::AddFOp::create(b, before, b.reduce(check, Reduction::Sum));
  memref::StoreOp::create(b, sum, s.scratch.finite, ValueRange{b.idx(0)});
}

void attn::cpu::addTile(AttentionState &s, const OutputTile &tile,
                        const KeyRun &run, bool skipZeros,
                        llvm::function_ref<Value(Value, Value)> value) {
  TileBuilder &b = s.b;
  auto [row, height, panel, panels] = tile;
  auto place = [&, row = row, panel = panel](int r, int p) {
    return SmallVector<Value>{b.add(row, r),
                              b.mul(b.add(panel, p), kPanelWidth)};
  };
  SmallVector<Value> sums;
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      sums.push_back(b.load(s.scratch.outputs, place(r, p)));
  sums = multiplyTile(
      b, height, panels, run.count, sums,
      [&, row = row](int r, Value k) {
        return b.loadScalar(s.scratch.scores, {b.add(row, r), k});
      },
      [&, panel = panel](int p, Value column) {
        return value(b.add(panel, p), column);
      },
      {.first = run.column, .skipZeros = skipZeros});
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(sums[r * panels + p], s.scratch.outputs, place(r, p));
}

void attn::cpu::forPanels(AttentionState &s, int group,
                          llvm::function_ref<void(Value, int)> body) {
  TileBuilder &b = s.b;
  int64_t panels = s.layout.valueWidth / kPanelWidth;
  int64_t whole = panels / group * group;
  b.forRange(b.idx(0), b.idx(whole), b.idx(group),
             [&](Value panel) { body(panel, group); });
  if (whole < panels)
    body(b.idx(whole), panels - whole);
}

/// A tile over the packed values of a run.
static void addPackedTile(AttentionState &s, const Chunk &chunk,
                          const KeyRun &run, const OutputTile &tile,
                          bool skipZeros) {
  TileBuilder &b = s.b;
  addTile(s, tile, run, skipZeros, [&](Value panel, Value column) {
    return b.load(s.scratch.valuePanels,
                  {panel, b.add(chunk.first, column), b.idx(0)});
  });
}

/// Every tile of rows and panels of the values.
static void addTiles(AttentionState &s, const RowTiles &tiles,
                     const Chunk &chunk, const KeyRun &run) {
  forPanels(s, s.b.target.attention.panels, [&](Value panel, int panels) {
    tiles.emit(s.b, [&](Value row, int height) {
      addPackedTile(s, chunk, run, {row, height, panel, panels}, false);
    });
  });
}

/// Row by row, where some value is not finite.
static void addRows(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                    const KeyRun &run) {
  forPanels(s, 1, [&](Value panel, int panels) {
    s.b.forRange(rows.count, [&](Value row) {
      addPackedTile(s, chunk, run, {row, 1, panel, panels}, true);
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
