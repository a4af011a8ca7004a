// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a keep expression says of a whole tile: interval analysis of its region.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_KEEPINTERVALS_H
#define ATTN_CODEGEN_CPU_ATTENTION_KEEPINTERVALS_H

#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

/// Queries [firstRow, lastRow] and keys [firstKey, lastKey] of one batch and
/// head, none of them empty; captures are the memory of the region's.
struct KeepTile {
  Value batch, head;
  Value firstRow, lastRow, firstKey, lastKey;
  Value m, n;
  llvm::ArrayRef<Value> captures;
};

/// Two conditions, at most one of which holds: every pair of the tile is kept;
/// none is. Both are false where nothing is proved.
struct Verdict {
  Value all, none;
};

/// Builds the verdict of `keep` over a tile, where `b` stands.
///
/// Integers become intervals of what they are on the tile: through +, -, *,
/// min, max, floor division by a positive constant, select and casts;
/// comparisons and logic on them become conditions. An element of a captured
/// tensor of integers is between the least and the largest that the tile reads,
/// if those lie along one dimension; the code that finds them is built only
/// where `readCaptures` is set. All else is unknown. Arithmetic that could
/// overflow is unknown too, so that a verdict never differs from the region's
/// own.
Verdict keepVerdict(TileBuilder &b, mlir::Region &keep, const KeepTile &tile,
                    bool searchCaptures);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_KEEPINTERVALS_H
