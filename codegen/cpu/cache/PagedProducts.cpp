// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Page by page: 64 keys of a head, or their values, are neighbours in memory
// and fit L1 while all tiles of rows meet them.

#include "codegen/cpu/cache/PagedProducts.h"

#include "dialect/AttnDialect.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static constexpr int kPagePanels = kPageTokens / kPanelWidth;

/// Panels of a tile of `height` rows. The fewer rows, the more panels, so that
/// sums do not wait for one another and memory is asked for more at once.
static int tilePanels(const TargetSpec &target, int height) {
  int registers = target.vectorRegisters * target.lanes / kPanelWidth;
  int panels = kPagePanels;
  while (panels > target.attention.panels && height * panels + 2 > registers)
    panels /= 2;
  return panels;
}

/// body(page, column, count) for each page of a run.
static void
forPages(AttentionState &s, const PagedHead &head, const Chunk &chunk,
         const KeyRun &run,
         llvm::function_ref<void(Value page, Value column, Value count)> body) {
  TileBuilder &b = s.b;
  Value end = b.add(run.column, run.count);
  b.forRange(run.column, end, b.idx(kPageTokens), [&](Value column) {
    Value block = b.div(b.add(chunk.first, column), kPageTokens);
    Value page = head.entry.page(b, head.sequence, block);
    body(page, column, b.min(b.sub(end, column), b.idx(kPageTokens)));
  });
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

static void dotTile(AttentionState &s, const PagedHead &head, Value page,
                    Value panel, Value column, Value row, int height,
                    int panels) {
  TileBuilder &b = s.b;
  const PairTerm::Product &product =
      s.form.program.terms().front().products.front();
  bool perRow = s.form.program.vectors()[product.rowVector].side == Side::Row;
  Value queries = s.scratch.vectors[product.rowVector];
  SmallVector<Value> dots(height * panels, b.splat(0.0));
  dots = multiplyTile(
      b, height, panels, b.idx(head.entry.keyWidth), dots,
      [&](int r, Value k) {
        return b.loadScalar(queries, {perRow ? b.add(row, r) : b.idx(0), k});
      },
      [&](int p, Value k) {
        return b.load(head.entry.cache,
                      head.entry.key(b, page, head.head, b.add(panel, p), k));
      });
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(
          dots[r * panels + p], s.scratch.terms.front(),
          {b.add(row, r), b.add(column, b.mul(b.add(panel, p), kPanelWidth))});
}

void attn::cpu::multiplyPagedDots(AttentionState &s, const PagedHead &head,
                                  const RowTiles &tiles, const Chunk &chunk,
                                  const KeyRun &run) {
  TileBuilder &b = s.b;
  forPages(s, head, chunk, run, [&](Value page, Value column, Value) {
    tiles.emit(b, [&](Value row, int height) {
      int panels = tilePanels(b.target, height);
      // A whole page: what lies behind the last key is never looked at.
      b.forRange(b.idx(0), b.idx(kPagePanels), b.idx(panels), [&](Value panel) {
        dotTile(s, head, page, panel, column, row, height, panels);
      });
    });
  });
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

namespace {
/// The values of some keys of a page.
struct PageValues {
  Value page, column, count;
};
} // namespace

/// outputs[row, panel] += weights[row, :] . v[:, panel].
static void addTile(AttentionState &s, const PagedHead &head,
                    const PageValues &values, Value row, int height,
                    Value panel, int panels, bool skipZeros) {
  TileBuilder &b = s.b;
  auto at = [&](int p) { return b.mul(b.add(panel, p), kPanelWidth); };
  SmallVector<Value> sums;
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      sums.push_back(b.load(s.scratch.outputs, {b.add(row, r), at(p)}));
  sums = multiplyTile(
      b, height, panels, values.count, sums,
      [&](int r, Value k) {
        return b.loadScalar(s.scratch.scores,
                            {b.add(row, r), b.add(values.column, k)});
      },
      [&](int p, Value k) {
        return b.load(
            head.entry.cache,
            head.entry.value(b, values.page, head.head, b.add(panel, p), k));
      },
      {.skipZeros = skipZeros});
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

/// 0 where every value is finite, else NaN.
static Value checkFinite(AttentionState &s, const PagedHead &head,
                         const PageValues &values) {
  TileBuilder &b = s.b;
  Value zero = b.splat(0.0), sum = zero;
  for (int64_t panel = 0; panel < s.layout.valueWidth / kPanelWidth; ++panel)
    sum = b.forRange(b.idx(0), values.count, b.idx(1), {sum},
                     [&](Value k, ValueRange so_far) -> SmallVector<Value> {
                       Value v =
                           b.load(head.entry.cache,
                                  head.entry.value(b, values.page, head.head,
                                                   b.idx(panel), k));
                       return {b.fma(v, zero, so_far.front())};
                     })[0];
  return sum;
}

void attn::cpu::addPagedValues(AttentionState &s, const PagedHead &head,
                               const HeadRows &rows, const RowTiles &tiles,
                               const Chunk &chunk, const KeyRun &run) {
  TileBuilder &b = s.b;
  forPages(s, head, chunk, run, [&](Value page, Value column, Value count) {
    PageValues values{page, column, count};
    auto addTiles = [&] {
      tiles.emit(b, [&](Value row, int height) {
        forPanels(s, tilePanels(b.target, height),
                  [&](Value panel, int panels) {
                    addTile(s, head, values, row, height, panel, panels, false);
                  });
      });
    };
    if (!run.asksKeep)
      return addTiles();
    // A weight of 0 silences a masked key only where its value is finite.
    SmallVector<Value> check = b.ifElse(
        run.asksKeep, 1,
        [&] { return SmallVector<Value>{checkFinite(s, head, values)}; },
        [&] { return SmallVector<Value>{b.splat(0.0)}; });
    Value total = b.reduce(check.front(), Reduction::Sum);
    b.ifElse(
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, total, b.f32(0.0)),
        addTiles, [&] {
          b.forRange(rows.count, [&](Value row) {
            forPanels(s, 1, [&](Value panel, int panels) {
              addTile(s, head, values, row, 1, panel, panels, true);
            });
          });
        });
  });
}
