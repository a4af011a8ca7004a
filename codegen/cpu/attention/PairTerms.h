// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums over the width that are no products of a query and a key vector.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_PAIRTERMS_H
#define ATTN_CODEGEN_CPU_ATTENTION_PAIRTERMS_H

#include "codegen/cpu/attention/RegionValues.h"
#include "codegen/cpu/attention/sparsity/KeyRuns.h"

namespace attn::cpu {

/// 16 keys of a chunk for one row: where an expression of a pair is evaluated.
struct PairLanes {
  Value row;           ///< of the block
  Value column;        ///< of the chunk, of lane 0
  Value mask;          ///< keys that exist; null for all
  bool isKept = false; ///< every key is known to be kept
};

/// The point of `at`: terms and sided scalars read from scratch.
RegionPoint pairPoint(AttentionState &s, const HeadRows &rows,
                      const Chunk &chunk, const PairLanes &at);

/// terms[term][row, j] for the rows and the keys of a run, and up to 15
/// more, d ascending. What is factored is computed directly for each pair whose
/// exponents are too large, so that no other row or key decides.
void sumPairs(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
              const KeyRun &run, unsigned term);

/// Turns the products of a term of squares to sums of squares, each pair that
/// asks for it computed directly.
void finishSquares(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                   const KeyRun &run, unsigned term);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_PAIRTERMS_H
