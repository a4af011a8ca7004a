// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Outputs as a product of weights and values.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_VALUES_H
#define ATTN_CODEGEN_CPU_ATTENTION_VALUES_H

#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "codegen/cpu/tiles/RowTiles.h"

namespace attn::cpu {

/// Begins the values of a key head: none is packed yet.
void startValues(AttentionState &s);

/// Packs the values of some keys as panels [N][16] and, where keys may be
/// masked, notes whether all since startValues are finite: only then a weight
/// of 0 silences a masked key by itself.
void packValues(AttentionState &s, const HeadRows &rows, const Keys &keys);

/// Rows and panels of the output that are in registers together.
struct OutputTile {
  Value row;
  int height;
  Value panel;
  int panels;
};

/// outputs[row, panel] += weights[row, :] . v[:, panel] over the keys of a run,
/// ascending; `value` gives a panel of the value of the key at a column of the
/// chunk. With `skipZeros` a weight of 0 silences a value that is not finite.
void addTile(AttentionState &s, const OutputTile &tile, const KeyRun &run,
             bool skipZeros,
             llvm::function_ref<Value(Value panel, Value column)> value);

/// body(panel, count) for all panels of the values, `group` at a time.
void forPanels(AttentionState &s, int group,
               llvm::function_ref<void(Value, int)> body);

/// outputs[row, :] += weights[row, j] v[j, :] over the keys of a chunk,
/// ascending.
void addValues(AttentionState &s, const HeadRows &rows, const RowTiles &tiles,
               const Chunk &chunk);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_VALUES_H
