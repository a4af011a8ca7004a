// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What depends on a query or a key alone: computed once for each, kept in
// scratch.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SIDEDVALUES_H
#define ATTN_CODEGEN_CPU_ATTENTION_SIDEDVALUES_H

#include "codegen/cpu/attention/RegionValues.h"
#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// A point of the regions: `i` and `j` may be null where nothing reads them.
RegionPoint regionPoint(AttentionState &s, const HeadRows &rows, Value i,
                        Value j);

/// Computes the vectors and scalars of the head and of the rows.
void computeRows(AttentionState &s, const HeadRows &rows);

/// Computes the vectors of keys [first, first + count) of a head as panels
/// [D][16], and the keys' scalars. `first` is a multiple of 16.
void packKeys(AttentionState &s, const HeadRows &rows, Value first,
              Value count);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SIDEDVALUES_H
