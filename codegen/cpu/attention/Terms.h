// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the regions of an attention start from.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_TERMS_H
#define ATTN_CODEGEN_CPU_ATTENTION_TERMS_H

#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "codegen/cpu/tiles/RowTiles.h"

namespace attn::cpu {

/// All terms of a run, from keys that are packed.
void fillTerms(AttentionState &s, const HeadRows &rows, const RowTiles &tiles,
               const Chunk &chunk, const KeyRun &run);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_TERMS_H
