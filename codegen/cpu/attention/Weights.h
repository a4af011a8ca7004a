// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights as they leave the normaliser, and what is made of them.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_WEIGHTS_H
#define ATTN_CODEGEN_CPU_ATTENTION_WEIGHTS_H

#include "codegen/cpu/attention/sparsity/KeyRuns.h"

namespace attn::cpu {

/// Turns the terms of a chunk into weights that depend on their own score only:
/// sigmoid and sum.
void plainWeights(AttentionState &s, const HeadRows &rows, const Chunk &chunk);

/// Multiplies the weights of a chunk by the rows' factors, where they come from
/// a softmax, applies the weight region, and writes the attention map.
void finishWeights(AttentionState &s, const HeadRows &rows, const Chunk &chunk);

/// Writes zeros to the attention map, if there is one, where no row keeps any
/// of `keys`.
void clearMap(AttentionState &s, const HeadRows &rows, const Keys &keys);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_WEIGHTS_H
