// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a block of rows leaves in memory.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_RESULTS_H
#define ATTN_CODEGEN_CPU_ATTENTION_RESULTS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Keeps 1 / the sum of each row's softmax, 0 where it kept nothing, and writes
/// the rows' log-sum-exp. All keys have been met.
void finishSums(AttentionState &s, const HeadRows &rows);

/// Writes the rows, times their factors where `isRelative`.
void writeRows(AttentionState &s, const HeadRows &rows, bool isRelative);

/// Writes the results of rows that keep nothing, of at most a block.
void writeEmptyRows(AttentionState &s, const HeadRows &rows);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_RESULTS_H
