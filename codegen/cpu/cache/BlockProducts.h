// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys and values read where they lie, in memory or in the pages of a cache, 64
// at a time.

#ifndef ATTN_CODEGEN_CPU_CACHE_BLOCKPRODUCTS_H
#define ATTN_CODEGEN_CPU_CACHE_BLOCKPRODUCTS_H

#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "codegen/cpu/cache/Pages.h"
#include "codegen/cpu/tiles/RowTiles.h"

namespace attn::cpu {

/// body(block) for each block of kBlockKeys keys that a run has some of.
void forBlocks(AttentionState &s, const KeyRun &run,
               llvm::function_ref<void(const KeyRun &block)> body);

/// terms[0][row, j] = row vector . key j for the keys of a run, and up to 63
/// more.
void multiplyPagedDots(AttentionState &s, const PagedEntry &entry,
                       const HeadRows &rows, const RowTiles &tiles,
                       const Chunk &chunk, const KeyRun &run);

/// outputs[row, :] += weights[row, j] v[j, :] over the keys of a run,
/// ascending. The values are in pages where there is an entry.
void addBlockValues(AttentionState &s, const PagedEntry *entry,
                    const HeadRows &rows, const RowTiles &tiles,
                    const Chunk &chunk, const KeyRun &run);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_BLOCKPRODUCTS_H
