// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention of ragged rows: packed queries of many sequences, each with keys of
// its own, in memory or in the pages of a cache.

#ifndef ATTN_CODEGEN_CPU_CACHE_RAGGEDROWS_H
#define ATTN_CODEGEN_CPU_CACHE_RAGGEDROWS_H

#include "codegen/cpu/attention/Form.h"

namespace attn::cpu {

/// Bytes of scratch that a slot needs.
Value raggedScratch(TileBuilder &b, const AttentionForm &form);

/// This slot's share; the keys of few rows may be split.
mlir::LogicalResult emitRagged(TileBuilder &b, const AttentionForm &form);

/// Adds up what the slots left, where keys were split.
mlir::LogicalResult finishRagged(TileBuilder &b, const AttentionForm &form);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_RAGGEDROWS_H
