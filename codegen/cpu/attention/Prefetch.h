// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fetches what an attention kernel reads next while it computes.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_PREFETCH_H
#define ATTN_CODEGEN_CPU_ATTENTION_PREFETCH_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Asks for a row's share of what comes next: a query of the next block, a key
/// and a value of the next key head. Called once for each row of a block, it
/// spreads the requests over the block's products.
void prefetchNext(AttentionState &s, const HeadRows &rows, Value row);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_PREFETCH_H
