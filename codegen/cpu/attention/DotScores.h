// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scores of a chunk as a matrix product of queries and keys.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_DOTSCORES_H
#define ATTN_CODEGEN_CPU_ATTENTION_DOTSCORES_H

#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "codegen/cpu/tiles/RowTiles.h"

namespace attn::cpu {

/// terms[term][row, j] = sum q_row . k_j over the products of the term, for the
/// keys of a run and up to 15 more.
void multiplyDots(AttentionState &s, const RowTiles &tiles, const Chunk &chunk,
                  const KeyRun &run, unsigned term);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_DOTSCORES_H
