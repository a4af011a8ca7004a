// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scores that are too much for one kernel.

#ifndef ATTN_CODEGEN_ATTENTION_SPLITSCORES_H
#define ATTN_CODEGEN_ATTENTION_SPLITSCORES_H

#include "mlir/Pass/Pass.h"

namespace attn {

/// Sums over the width for each query and key that one kernel computes: each is
/// code and scratch of its own.
inline constexpr size_t kMostPairTerms = 128;

/// Refuses an attention with more of them, naming the first one too many, or,
/// where it may be computed unfused, takes its score apart: all addends but
/// those of one kernel are computed before, by attentions that return their
/// scores, in memory of queries times keys. A pass of functions.
std::unique_ptr<mlir::Pass> createSplitScoresPass(bool allowUnfused);
void registerSplitScoresPass();

} // namespace attn

#endif // ATTN_CODEGEN_ATTENTION_SPLITSCORES_H
