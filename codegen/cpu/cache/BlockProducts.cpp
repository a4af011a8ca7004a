// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Block by block: 64 keys of a head, or their values, fit L1 while all tiles of
// rows meet them.

#include "codegen/cpu/cache/BlockProducts.h"

#include "codegen/cpu/attention/Values.h"
#include "dialect/AttnDialect.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static_assert(kBlockKeys == kPageTokens, "a block of keys is a page");
static constexpr int kBlockPanels = kBlockKeys / kPanelWidth;

/// Panels of a tile of `height` rows. The fewer rows, the more panels, so that
/// sums do not wait for one another and memory is asked for more at once.
static int tilePanels(const TargetSpec &target, int height) {
  int registers = target.vectorRegisters * target.lanes / kPanelWidth;
  int panels = kBlockPanels;
  while (panels > target.attention.panels && height * panels + 2 > registers)
    panels /= 2;
  return panels;
}

void attn::cpu::forBlocks(AttentionState &s, const KeyRun &run,
                          llvm::function_ref<void(const KeyRun &)> body) {
  TileBuilder &b = s.b;
  Value end = b.add(run.column, run.count), width = b.idx(kBlockKeys);
  b.forRange(run.column, end, width, [&](Value column) {
    body({column, b.min(b.sub(end, column), width), run.asksKeep});
  });
}

namespace {
/// The page of a block, and the one to be fetched meanwhile: the next of the
/// run, or itself.
struct BlockPage {
  Value own, next;
};
} // namespace

static BlockPage pageOf(AttentionState &s, const PagedEntry &entry,
                        const HeadRows &rows, const Chunk &chunk,
                        const KeyRun &run, Value column) {
  TileBuilder &b = s.b;
  auto pageAt = [&](Value at) {
    Value key = b.add(chunk.first, at);
    return entry.page(b, rows.batch, b.div(key, kPageTokens));
  };
  Value following = b.add(column, kBlockKeys);
  Value more = b.less(following, b.add(run.column, run.count));
  return {pageAt(column), pageAt(b.select(more, following, column))};
}

/// Pages lie anywhere: hardware that follows streams loses them at their ends.
static void prefetch(TileBuilder &b, const PagedEntry &entry, Value at) {
  if (b.target.prefetchNextPanel)
    memref::PrefetchOp::create(b, entry.cache, at, /*isWrite=*/false,
                               /*localityHint=*/2, /*isDataCache=*/true);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

namespace {
/// The keys of a page that tiles meet.
struct PageKeys {
  const PagedEntry &entry;
  BlockPage page;
  Value head, column;
};
} // namespace

static void dotTile(AttentionState &s, const PageKeys &keys, Value panel,
                    Value row, int height, int panels) {
  TileBuilder &b = s.b;
  const PairTerm::Product &product =
      s.form.program.terms().front().products.front();
  bool perRow = s.form.program.vectors()[product.rowVector].side == Side::Row;
  Value queries = s.scratch.vectors[product.rowVector];
  SmallVector<Value> dots(height * panels, b.splat(0.0));
  dots = multiplyTile(
      b, height, panels, b.idx(keys.entry.keyWidth), dots,
      [&](int r, Value k) {
        return b.loadScalar(queries, {perRow ? b.add(row, r) : b.idx(0), k});
      },
      [&](int p, Value k) {
        auto at = [&](Value page) {
          return keys.entry.key(b, page, keys.head, b.add(panel, p), k);
        };
        prefetch(b, keys.entry, at(keys.page.next));
        return b.load(keys.entry.cache, at(keys.page.own));
      });
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(dots[r * panels + p], s.scratch.terms.front(),
              {b.add(row, r),
               b.add(keys.column, b.mul(b.add(panel, p), kPanelWidth))});
}

void attn::cpu::multiplyPagedDots(AttentionState &s, const PagedEntry &entry,
                                  const HeadRows &rows, const RowTiles &tiles,
                                  const Chunk &chunk, const KeyRun &run) {
  TileBuilder &b = s.b;
  forBlocks(s, run, [&](const KeyRun &block) {
    PageKeys keys{entry, pageOf(s, entry, rows, chunk, run, block.column),
                  rows.keyHead, block.column};
    tiles.emit(b, [&](Value row, int height) {
      int panels = tilePanels(b.target, height);
      // A whole page: what lies behind the last key is never looked at.
      b.forRange(
          b.idx(0), b.idx(kBlockPanels), b.idx(panels),
          [&](Value panel) { dotTile(s, keys, panel, row, height, panels); });
    });
  });
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

namespace {
/// The values of a block of keys, and the columns of their weights.
struct BlockValues {
  const PagedEntry *entry; ///< or null
  HeadRows rows;
  BlockPage page; ///< where there is an entry
  Value key;      ///< the first
  KeyRun keys;
};
} // namespace

/// 16 columns of value k of a block.
static Value loadValue(AttentionState &s, const BlockValues &values,
                       Value panel, Value k) {
  TileBuilder &b = s.b;
  if (values.entry) {
    auto at = [&](Value page) {
      return values.entry->value(b, page, values.rows.keyHead, panel, k);
    };
    prefetch(b, *values.entry, at(values.page.next));
    return b.load(values.entry->cache, at(values.page.own));
  }
  Value column = b.mul(panel, kPanelWidth), mask;
  if (s.form.valueWidth % kPanelWidth)
    mask = b.laneMask(b.sub(b.idx(s.form.valueWidth), column));
  const HeadRows &rows = values.rows;
  return b.load(s.form.value,
                {rows.batch, rows.keyHead, b.add(values.key, k), column}, mask);
}

static void addBlockTile(AttentionState &s, const BlockValues &values,
                         const OutputTile &tile, bool skipZeros) {
  addTile(s, tile, values.keys, skipZeros, [&](Value panel, Value column) {
    Value k = s.b.sub(column, values.keys.column);
    return loadValue(s, values, panel, k);
  });
}

/// 0 where every value is finite, else NaN.
static Value checkFinite(AttentionState &s, const BlockValues &values) {
  TileBuilder &b = s.b;
  Value zero = b.splat(0.0), sum = zero;
  for (int64_t panel = 0; panel < s.layout.valueWidth / kPanelWidth; ++panel)
    sum = b.forRange(b.idx(0), values.keys.count, b.idx(1), {sum},
                     [&](Value k, ValueRange so_far) -> SmallVector<Value> {
                       Value v = loadValue(s, values, b.idx(panel), k);
                       return {b.fma(v, zero, so_far.front())};
                     })[0];
  return sum;
}

static void addBlock(AttentionState &s, const BlockValues &values,
                     const RowTiles &tiles) {
  tiles.emit(s.b, [&](Value row, int height) {
    forPanels(s, tilePanels(s.b.target, height), [&](Value panel, int panels) {
      addBlockTile(s, values, {row, height, panel, panels}, false);
    });
  });
}

/// Row by row, where some value is not finite: a weight of 0 does not silence
/// its masked key by itself.
static void addKeptOfBlock(AttentionState &s, const BlockValues &values) {
  s.b.forRange(values.rows.count, [&](Value row) {
    forPanels(s, 1, [&](Value panel, int panels) {
      addBlockTile(s, values, {row, 1, panel, panels}, true);
    });
  });
}

void attn::cpu::addBlockValues(AttentionState &s, const PagedEntry *entry,
                               const HeadRows &rows, const RowTiles &tiles,
                               const Chunk &chunk, const KeyRun &run) {
  TileBuilder &b = s.b;
  forBlocks(s, run, [&](const KeyRun &block) {
    BlockValues values{
        entry, rows, {}, b.add(chunk.first, block.column), block};
    if (entry)
      values.page = pageOf(s, *entry, rows, chunk, run, block.column);
    if (!s.form.keep)
      return addBlock(s, values, tiles);
    Value asks = run.asksKeep;
    if (!asks)
      asks = arith::ConstantOp::create(b, b.getBoolAttr(true));
    SmallVector<Value> check = b.ifElse(
        asks, 1, [&] { return SmallVector<Value>{checkFinite(s, values)}; },
        [&] { return SmallVector<Value>{b.splat(0.0)}; });
    Value finite = arith::CmpFOp::create(
        b, arith::CmpFPredicate::OEQ, b.reduce(check.front(), Reduction::Sum),
        b.f32(0.0));
    b.ifElse(
        finite, [&] { addBlock(s, values, tiles); },
        [&] { addKeptOfBlock(s, values); });
  });
}
