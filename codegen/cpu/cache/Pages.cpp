// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Addresses in pages: keys [G][64 / 16][D][16], behind them values
// [G][ceil(E / 16)][64][16].

#include "codegen/cpu/cache/Pages.h"

#include "codegen/cpu/tiles/ElementLoops.h"
#include "dialect/AttnDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static_assert(kPanelLanes == kPanelWidth && kPageTokens % kPanelWidth == 0);

static Value toIndex(TileBuilder &b, Value integer) {
  return arith::IndexCastOp::create(b, b.getIndexType(), integer);
}

PagedEntry::PagedEntry(TileBuilder &b, Value cache, Value offset, Value table,
                       RankedTensorType key, RankedTensorType value)
    : heads(key.getDimSize(1)), keyWidth(key.getDimSize(3)),
      valueWidth(value.getDimSize(3)), cache(flatten(b, cache)),
      offset(toIndex(b, b.loadScalar(offset, {}))), table(table),
      pageFloats(cast<MemRefType>(cache.getType()).getDimSize(1)) {}

Value PagedEntry::page(TileBuilder &b, Value sequence, Value block) const {
  Value number = toIndex(b, b.loadScalar(table, {sequence, block}));
  return b.add(b.mul(number, pageFloats), offset);
}

Value PagedEntry::key(TileBuilder &b, Value page, Value head, Value panel,
                      Value d) const {
  Value place = b.add(b.mul(head, kPageTokens / kPanelWidth), panel);
  place = b.add(b.mul(place, keyWidth), d);
  return b.add(page, b.mul(place, kPanelWidth));
}

Value PagedEntry::value(TileBuilder &b, Value page, Value head, Value panel,
                        Value slot) const {
  int64_t panels = llvm::divideCeil(valueWidth, kPanelWidth);
  Value place = b.add(b.mul(head, panels), panel);
  place = b.add(b.mul(place, kPageTokens), slot);
  place = b.add(b.mul(place, kPanelWidth), heads * kPageTokens * keyWidth);
  return b.add(page, place);
}

Value PagedEntry::positions(TileBuilder &b) const {
  return b.mul(b.dim(table, 1), kPageTokens);
}
