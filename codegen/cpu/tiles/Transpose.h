// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Transposition of 16 x 16 elements in registers.

#ifndef ATTN_CODEGEN_CPU_TILES_TRANSPOSE_H
#define ATTN_CODEGEN_CPU_TILES_TRANSPOSE_H

#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

/// rows[i][j] becomes rows[j][i]; `rows` are 16 vectors of 16 lanes.
void transpose16(TileBuilder &b, llvm::MutableArrayRef<Value> rows);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TILES_TRANSPOSE_H
