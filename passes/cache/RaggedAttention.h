// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The regions of an attention over a whole sequence as those of an attention
// over its last rows.

#ifndef ATTN_PASSES_CACHE_RAGGEDATTENTION_H
#define ATTN_PASSES_CACHE_RAGGEDATTENTION_H

#include "dialect/AttnOps.h"

namespace attn {

/// What a ragged attention reads instead of a whole sequence.
struct RaggedOperands {
  mlir::Value keys, values, starts, lengths;
};

/// Emits an error where a row of a self-attention may see a later one, or
/// where its score depends on how many tokens there are in all.
mlir::LogicalResult verifyCausal(AttentionOp attention);

/// How many keys up to its own place a row of a causal attention sees; none
/// where that is not a constant.
std::optional<int64_t> windowOf(AttentionOp attention);

/// Emits an error where a cross-attention uses the place of its query.
mlir::LogicalResult verifyCross(AttentionOp attention);

/// The ragged form of an attention that was verified, which it replaces; the
/// old one is left without uses.
AttentionOp makeRagged(AttentionOp attention, const RaggedOperands &operands);

} // namespace attn

#endif // ATTN_PASSES_CACHE_RAGGEDATTENTION_H
