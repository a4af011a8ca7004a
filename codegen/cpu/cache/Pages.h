// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the keys and values of one attention lie in the pages of a cache, as
// attn.append lays them out.

#ifndef ATTN_CODEGEN_CPU_CACHE_PAGES_H
#define ATTN_CODEGEN_CPU_CACHE_PAGES_H

#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

/// One attention's entry in every page. Places are floats of `cache`.
class PagedEntry {
public:
  /// `cache` is [pages, floats of a page], `offset` a tensor of no dimensions,
  /// `table` [sequences, blocks]; `key` and `value` are [., G, ., D] and
  /// [., G, ., E].
  PagedEntry(TileBuilder &b, Value cache, Value offset, Value table,
             mlir::RankedTensorType key, mlir::RankedTensorType value);

  const int64_t heads, keyWidth, valueWidth;
  Value cache; ///< flat

  /// Where the entry begins in the page of block `block` of a sequence.
  Value page(TileBuilder &b, Value sequence, Value block) const;
  /// Element d of the 16 keys of a panel of the page's 64, one after the other.
  Value key(TileBuilder &b, Value page, Value head, Value panel, Value d) const;
  /// 16 columns of a value, `slot` of the page's 64.
  Value value(TileBuilder &b, Value page, Value head, Value panel,
              Value slot) const;
  /// Positions that the table has room for.
  Value positions(TileBuilder &b) const;

private:
  Value offset, table;
  int64_t pageFloats;
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_PAGES_H
