// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Adds up what chunks of keys give: each is computed on its own, and they are
// combined in ascending order. Any number of slots may compute them.

#ifndef ATTN_CODEGEN_CPU_CACHE_CHUNKTOTALS_H
#define ATTN_CODEGEN_CPU_CACHE_CHUNKTOTALS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// `s` with totals where it had those of a chunk.
AttentionState withTotals(const AttentionState &s);

/// Adds the chunk whose sums `s` holds to the totals that `total` holds.
void addChunk(AttentionState &s, AttentionState &total, const HeadRows &rows);

/// The sums that `from` holds, to where `to` has its own.
void copySums(AttentionState &from, AttentionState &to, const HeadRows &rows);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_CHUNKTOTALS_H
