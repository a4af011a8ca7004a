// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The least and the largest element among those of a capture that a tile reads.

#ifndef ATTN_CODEGEN_CPU_TILES_CAPTURERANGE_H
#define ATTN_CODEGEN_CPU_TILES_CAPTURERANGE_H

#include "codegen/attention/KeepIntervals.h"
#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

/// Builds the search. Only elements inside the tensor are read.
CaptureExtremes captureExtremes(TileBuilder &b, const CaptureRange &range);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TILES_CAPTURERANGE_H
