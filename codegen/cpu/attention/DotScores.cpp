// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dot products of a block of queries and a chunk of keys, in register tiles.

#include "codegen/cpu/attention/DotScores.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static void dotTile(AttentionState &s, unsigned term, Value panel, Value column,
                    Value row, int height, int panels) {
  TileBuilder &b = s.b;
  const ScoreProgram &program = s.form.program;
  auto [queries, keys] = *program.terms()[term].product;
  bool perRow = program.vectors()[queries].side == Side::Row;
  SmallVector<Value> zeros(height * panels, b.splat(0.0));
  SmallVector<Value> dots = multiplyTile(
      b, height, panels, b.idx(program.vectors()[keys].width), zeros,
      [&, queries = queries](int r, Value k) {
        Value at = perRow ? b.add(row, r) : b.idx(0);
        return b.loadScalar(s.scratch.vectors[queries], {at, k});
      },
      [&, keys = keys](int p, Value k) {
        return b.load(s.scratch.vectors[keys], {b.add(panel, p), k, b.idx(0)});
      });
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(dots[r * panels + p], s.scratch.terms[term],
              {b.add(row, r), b.add(column, p * kPanelWidth)});
}

void attn::cpu::multiplyDots(AttentionState &s, const RowTiles &tiles,
                             const Chunk &chunk, unsigned term) {
  TileBuilder &b = s.b;
  int width = b.target.attention.panels;
  Value panels = b.ceilDiv(chunk.count, kPanelWidth);
  Value first = b.div(chunk.first, kPanelWidth);
  auto column = [&](Value panel, int count) {
    tiles.emit(b, [&](Value row, int height) {
      dotTile(s, term, b.add(first, panel), b.mul(panel, kPanelWidth), row,
              height, count);
    });
  };
  Value whole = b.mul(b.div(panels, width), width);
  b.forRange(b.idx(0), whole, b.idx(width),
             [&](Value panel) { column(panel, width); });
  if (width > 1)
    b.forRange(whole, panels, b.idx(1), [&](Value panel) { column(panel, 1); });
}
