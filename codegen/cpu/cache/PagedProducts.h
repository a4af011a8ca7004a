// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two products of attention, straight from the pages of a cache.

#ifndef ATTN_CODEGEN_CPU_CACHE_PAGEDPRODUCTS_H
#define ATTN_CODEGEN_CPU_CACHE_PAGEDPRODUCTS_H

#include "codegen/cpu/attention/KeyRuns.h"
#include "codegen/cpu/cache/Pages.h"
#include "codegen/cpu/tiles/RowTiles.h"

namespace attn::cpu {

/// A key head of a sequence, in pages.
struct PagedHead {
  const PagedEntry &entry;
  Value sequence, head;
};

/// terms[0][row, j] = row vector . key j for the keys of a run, and up to 63
/// more.
void multiplyPagedDots(AttentionState &s, const PagedHead &head,
                       const RowTiles &tiles, const Chunk &chunk,
                       const KeyRun &run);

/// outputs[row, :] += weights[row, j] v[j, :] over the keys of a run,
/// ascending.
void addPagedValues(AttentionState &s, const PagedHead &head,
                    const HeadRows &rows, const RowTiles &tiles,
                    const Chunk &chunk, const KeyRun &run);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_PAGEDPRODUCTS_H
