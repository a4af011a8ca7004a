// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Online softmax over chunks of keys, in base 2.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SOFTMAX_H
#define ATTN_CODEGEN_CPU_ATTENTION_SOFTMAX_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Rows that have met no key yet.
void startRows(AttentionState &s, const HeadRows &rows);

/// Turns the dot products of a chunk into weights relative to each row's
/// reference, adds them to its sum, and brings sums and outputs of earlier
/// chunks to the reference.
void softmaxChunk(AttentionState &s, const HeadRows &rows, const Chunk &chunk);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SOFTMAX_H
