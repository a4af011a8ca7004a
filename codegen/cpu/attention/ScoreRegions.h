// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The score, keep and weight expressions of an attention on 16 keys.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SCOREREGIONS_H
#define ATTN_CODEGEN_CPU_ATTENTION_SCOREREGIONS_H

#include "codegen/cpu/attention/PairTerms.h"

namespace attn::cpu {

/// The score, from the terms in scratch: to base 2 and -infinity where it is
/// masked for softmax; otherwise the weight it becomes, 0 where it is masked.
Value scoreOnLanes(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                   const PairLanes &at);

/// What meets the value, from the normalised weight: 0 where it is masked.
Value weightOnLanes(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                    const PairLanes &at, Value normalized);

/// Whether scoreOnLanes is the term that lies where scores go.
bool scoreIsInPlace(const AttentionState &s, const PairLanes &at);

/// A natural score to base 2. A finite fill stays finite, so that rows of
/// nothing else stay uniform.
Value toBase2(TileBuilder &b, Value natural);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SCOREREGIONS_H
