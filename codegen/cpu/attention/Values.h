// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Outputs as a product of weights and values.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_VALUES_H
#define ATTN_CODEGEN_CPU_ATTENTION_VALUES_H

#include "codegen/cpu/attention/State.h"
#include "codegen/cpu/tiles/RowTiles.h"

namespace attn::cpu {

/// Packs the values of a key head as panels [N][16] and, where keys may be
/// masked, notes whether all are finite: only then a weight of 0 silences a
/// masked key by itself.
void packValues(AttentionState &s, const HeadRows &rows);

/// outputs[row, :] += weights[row, j] v[j, :] over the keys of a chunk,
/// ascending.
void addValues(AttentionState &s, const HeadRows &rows, const RowTiles &tiles,
               const Chunk &chunk);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_VALUES_H
