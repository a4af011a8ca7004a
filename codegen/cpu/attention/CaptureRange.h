// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The least and the largest element among those of a capture that a tile reads.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_CAPTURERANGE_H
#define ATTN_CODEGEN_CPU_ATTENTION_CAPTURERANGE_H

#include "codegen/cpu/tiles/TileBuilder.h"

#include <optional>

namespace attn::cpu {

/// Elements of a dense tensor of integers along one dimension, or one element.
struct CaptureRange {
  Value buffer;
  llvm::SmallVector<Value> indices; ///< that of `dimension` is not read
  std::optional<unsigned> dimension;
  Value low, high; ///< along `dimension`, inclusive, signed; or null
};

struct CaptureExtremes {
  Value least, most; ///< index values, sign-extended; i1 is 0 or 1
  Value nonempty;    ///< else both are meaningless; null for always
};

/// Builds the search. Only elements inside the tensor are read.
CaptureExtremes captureExtremes(TileBuilder &b, const CaptureRange &range);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_CAPTURERANGE_H
