// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Adds up what chunks of keys give: each is computed on its own, and they are
// combined in ascending order. Any number of slots may compute them.

#ifndef ATTN_CODEGEN_CPU_CACHE_CHUNKTOTALS_H
#define ATTN_CODEGEN_CPU_CACHE_CHUNKTOTALS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// References, sums and outputs of a block of rows.
struct RowTotals {
  Value references, sums, outputs;
};

/// Bytes of scratch for the totals of a block.
int64_t totalsBytes(const ScratchLayout &layout);

/// The totals that lie `offset` bytes into the slot's scratch.
RowTotals totalsAt(TileBuilder &b, const ScratchLayout &layout, Value offset);

/// `s` with totals where it had those of a chunk.
AttentionState withTotals(const AttentionState &s, const RowTotals &totals);

/// Adds the chunk whose sums `s` holds to the totals that `total` holds.
void addChunk(AttentionState &s, AttentionState &total, const HeadRows &rows);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_CHUNKTOTALS_H
