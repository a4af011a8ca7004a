// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an attention keeps in memory, while decoding and in training.

#ifndef ATTN_TOOLS_ATTNC_REPORT_ATTENTIONMEMORY_H
#define ATTN_TOOLS_ATTNC_REPORT_ATTENTIONMEMORY_H

#include "dialect/AttnOps.h"
#include "passes/plan/SymbolicShapes.h"

namespace attn::tool {

/// Bytes, as polynomials in a model's dynamic dimensions.
struct AttentionMemory {
  /// Its keys and values in f32: what a decoder caches of it.
  DimExpr keyValueBytes;
  /// Activations that training keeps of the layer it stands in: 34 sbh bytes,
  /// for sequence s, batch b and hidden size h, and 5 a s^2 b for a heads
  /// unless the attention is fused. Two bytes a number, an MLP of 4 h,
  /// dropout; equation 2 of Korthikanti et al. 2022, "Reducing Activation
  /// Recomputation in Large Transformer Models".
  DimExpr activationBytes, fusedActivationBytes;

  /// Null where a coefficient overflows.
  static std::optional<AttentionMemory> add(const AttentionMemory &a,
                                            const AttentionMemory &b);
};

/// Null where 64 bits do not count it.
std::optional<AttentionMemory> memoryOf(AttentionOp op,
                                        const SymbolicShapes &shapes);

/// Whether no query sees the keys behind its own, as in a decoder. What depends
/// on captured tensors is taken to be seen.
bool isCausal(AttentionOp op);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_ATTENTIONMEMORY_H
