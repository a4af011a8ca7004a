// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a block of rows leaves in memory.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_RESULTS_H
#define ATTN_CODEGEN_CPU_ATTENTION_RESULTS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Divides by the sums and writes the rows; a row without weights is zero.
void finishRows(AttentionState &s, const HeadRows &rows);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_RESULTS_H
