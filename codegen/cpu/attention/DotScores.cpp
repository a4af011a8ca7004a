// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dot products of a block of queries and a chunk of keys, in register tiles.

#include "codegen/cpu/attention/DotScores.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::loadQueries(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  Value factor = b.splat(s.form.queryFactor());
  b.forRange(rows.count, [&](Value row) {
    Value from = b.add(rows.first, row);
    b.forLanes(b.idx(s.form.headWidth), [&](Value column, Value mask) {
      Value q =
          b.load(s.form.query, {rows.batch, rows.head, from, column}, mask);
      b.store(arith::MulFOp::create(b, q, factor), s.scratch.queries,
              {row, column});
    });
  });
}

static void dotTile(AttentionState &s, Value panel, Value column, Value row,
                    int height, int panels) {
  TileBuilder &b = s.b;
  SmallVector<Value> zeros(height * panels, b.splat(0.0));
  SmallVector<Value> dots = multiplyTile(
      b, height, panels, b.idx(s.form.headWidth), zeros,
      [&](int r, Value k) {
        return b.loadScalar(s.scratch.queries, {b.add(row, r), k});
      },
      [&](int p, Value k) {
        return b.load(s.scratch.keyPanels, {b.add(panel, p), k, b.idx(0)});
      });
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(dots[r * panels + p], s.scratch.scores,
              {b.add(row, r), b.add(column, p * kPanelWidth)});
}

void attn::cpu::multiplyDots(AttentionState &s, const RowTiles &tiles,
                             const Chunk &chunk) {
  TileBuilder &b = s.b;
  int width = b.target.attention.panels;
  Value panels = b.ceilDiv(chunk.count, kPanelWidth);
  Value first = b.div(chunk.first, kPanelWidth);
  auto column = [&](Value panel, int count) {
    tiles.emit(b, [&](Value row, int height) {
      dotTile(s, b.add(first, panel), b.mul(panel, kPanelWidth), row, height,
              count);
    });
  };
  Value whole = b.mul(b.div(panels, width), width);
  b.forRange(b.idx(0), whole, b.idx(width),
             [&](Value panel) { column(panel, width); });
  if (width > 1)
    b.forRange(whole, panels, b.idx(1), [&](Value panel) { column(panel, 1); });
}
