// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Online softmax over chunks of keys, in base 2.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SOFTMAX_H
#define ATTN_CODEGEN_CPU_ATTENTION_SOFTMAX_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Rows whose sums hold nothing.
void clearRows(AttentionState &s, const HeadRows &rows);

/// Rows that have met no key yet: the sink is all that their sums hold.
void startRows(AttentionState &s, const HeadRows &rows);

/// Turns the terms of a chunk into weights relative to each row's reference,
/// adds them to its sum, and brings sums and outputs of earlier chunks to the
/// reference.
void softmaxChunk(AttentionState &s, const HeadRows &rows, const Chunk &chunk);

/// Turns the terms of a chunk into weights relative to the rows' references,
/// when these are final: the same bits as softmaxChunk's.
void repeatSoftmax(AttentionState &s, const HeadRows &rows, const Chunk &chunk);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SOFTMAX_H
