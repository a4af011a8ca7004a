// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a keep expression says of a whole tile: interval analysis of its region.

#ifndef ATTN_CODEGEN_ATTENTION_KEEPINTERVALS_H
#define ATTN_CODEGEN_ATTENTION_KEEPINTERVALS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>

namespace attn {

/// Elements of a dense tensor of integers along one dimension, or one element.
struct CaptureRange {
  mlir::Value buffer;
  llvm::SmallVector<mlir::Value> indices; ///< that of `dimension` is not read
  std::optional<unsigned> dimension;
  mlir::Value low, high; ///< along `dimension`, inclusive, signed; or null
};

struct CaptureExtremes {
  mlir::Value least, most; ///< index values, sign-extended; i1 is 0 or 1
  mlir::Value nonempty;    ///< else both are meaningless; null for always
};

/// Queries [firstRow, lastRow] and keys [firstKey, lastKey] of one batch and
/// head, none of them empty; captures are the memory of the region's.
struct KeepTile {
  mlir::Value batch, head;
  mlir::Value firstRow, lastRow, firstKey, lastKey;
  mlir::Value m, n;
  llvm::ArrayRef<mlir::Value> captures;
};

/// Two conditions, at most one of which holds: every pair of the tile is kept;
/// none is. Both are false where nothing is proved.
struct Verdict {
  mlir::Value all, none;
};

/// How a target reads captures for the analysis.
struct CaptureSearch {
  /// Builds the search of a range; nothing where that is not known.
  llvm::function_ref<std::optional<CaptureExtremes>(const CaptureRange &)>
      extremes;
  bool onlyElements; ///< ranges of many elements are left unknown
};

/// Builds the verdict of `keep` over a tile, where `b` stands.
///
/// Integers become intervals of what they are on the tile: through +, -, *,
/// min, max, floor division by a positive constant, select and casts;
/// comparisons and logic on them become conditions. An element of a captured
/// tensor of integers is between the least and the largest that the tile reads,
/// if those lie along one dimension. All else is unknown. Arithmetic that could
/// overflow is unknown too, so that a verdict never differs from the region's
/// own.
Verdict keepVerdict(mlir::ImplicitLocOpBuilder &b, mlir::Region &keep,
                    const KeepTile &tile, const CaptureSearch &search);

/// Operations that the verdict depends on and of which nothing is known
/// although all is known of their operands. Builds code as keepVerdict does.
llvm::SmallVector<mlir::Operation *>
keepObstacles(mlir::ImplicitLocOpBuilder &b, mlir::Region &keep,
              const KeepTile &tile, const CaptureSearch &search);

} // namespace attn

#endif // ATTN_CODEGEN_ATTENTION_KEEPINTERVALS_H
