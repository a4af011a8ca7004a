// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A norm of one row: shared by norm kernels and the prologue of linears.

#ifndef ATTN_CODEGEN_CPU_KERNELS_NORMROW_H
#define ATTN_CODEGEN_CPU_KERNELS_NORMROW_H

#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

/// A layer norm (centered) or RMS norm of `width` elements.
struct NormRow {
  bool centered;
  double eps;
  int64_t width;
  Value scale, shift; ///< memref<width>, or null
};

/// to[toRow, :] = norm(from[fromRow, :]) on memref<? x width> buffers, which
/// may be the same. Sums use 16 lanes and the fixed tree.
void emitNormRow(TileBuilder &b, const NormRow &norm, Value from, Value fromRow,
                 Value to, Value toRow);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_KERNELS_NORMROW_H
