// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dot products of a block of queries and a chunk of keys, in register tiles.

#include "codegen/cpu/attention/DotScores.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// sums + q . k on a register tile.
static SmallVector<Value> addProduct(AttentionState &s,
                                     const PairTerm::Product &product,
                                     Value panel, Value row, int height,
                                     int panels, ArrayRef<Value> sums) {
  TileBuilder &b = s.b;
  ArrayRef<SidedVector> vectors = s.form.program.vectors();
  Value queries = s.scratch.vectors[product.rowVector];
  Value keys = s.scratch.vectors[product.keyVector];
  bool perRow = vectors[product.rowVector].side == Side::Row;
  return multiplyTile(
      b, height, panels, b.idx(vectors[product.keyVector].width), sums,
      [&](int r, Value k) {
        return b.loadScalar(queries, {perRow ? b.add(row, r) : b.idx(0), k});
      },
      [&](int p, Value k) {
        return b.load(keys, {b.add(panel, p), k, b.idx(0)});
      });
}

static void dotTile(AttentionState &s, unsigned term, Value panel, Value column,
                    Value row, int height, int panels) {
  TileBuilder &b = s.b;
  SmallVector<Value> dots(height * panels, b.splat(0.0));
  for (const PairTerm::Product &product : s.form.program.terms()[term].products)
    dots = addProduct(s, product, panel, row, height, panels, dots);
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(dots[r * panels + p], s.scratch.terms[term],
              {b.add(row, r), b.add(column, p * kPanelWidth)});
}

void attn::cpu::multiplyDots(AttentionState &s, const RowTiles &tiles,
                             const Chunk &chunk, const KeyRun &run,
                             unsigned term) {
  TileBuilder &b = s.b;
  int width = b.target.attention.panels;
  Value panels = b.ceilDiv(run.count, kPanelWidth);
  Value key = b.add(chunk.first, run.column);
  Value first = b.div(s.packedKey(key), kPanelWidth);
  auto column = [&](Value panel, int count) {
    tiles.emit(b, [&](Value row, int height) {
      dotTile(s, term, b.add(first, panel),
              b.add(run.column, b.mul(panel, kPanelWidth)), row, height, count);
    });
  };
  Value whole = b.mul(b.div(panels, width), width);
  b.forRange(b.idx(0), whole, b.idx(width),
             [&](Value panel) { column(panel, width); });
  if (width > 1)
    b.forRange(whole, panels, b.idx(1), [&](Value panel) { column(panel, 1); });
}
