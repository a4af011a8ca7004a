// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The score and keep expressions of an attention on 16 keys.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SCOREREGIONS_H
#define ATTN_CODEGEN_CPU_ATTENTION_SCOREREGIONS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Where an expression is evaluated: 16 keys of a chunk for one row.
struct ScoreLanes {
  Value row;    ///< of the block
  Value column; ///< of the chunk, of lane 0
  Value mask;   ///< keys that exist; null for all
};

/// The score in base 2 from the dot product (times the query's factor),
/// -infinity where it is masked; `dot` itself where there is nothing to do.
Value scoreOnLanes(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                   const ScoreLanes &at, Value dot);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SCOREREGIONS_H
