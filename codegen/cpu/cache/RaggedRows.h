// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention of ragged rows: packed queries of many sequences, each with keys of
// its own, in memory or in the pages of a cache.

#ifndef ATTN_CODEGEN_CPU_CACHE_RAGGEDROWS_H
#define ATTN_CODEGEN_CPU_CACHE_RAGGEDROWS_H

#include "codegen/cpu/attention/Form.h"

namespace attn::cpu {

/// This slot's share.
mlir::LogicalResult emitRagged(TileBuilder &b, const AttentionForm &form);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_RAGGEDROWS_H
