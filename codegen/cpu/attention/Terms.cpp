// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products in register tiles, all else pair by pair.

#include "codegen/cpu/attention/Terms.h"

#include "codegen/cpu/attention/DotScores.h"
#include "codegen/cpu/attention/PairTerms.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::fillTerms(AttentionState &s, const HeadRows &rows,
                          const RowTiles &tiles, const Chunk &chunk,
                          const KeyRun &run) {
  for (auto [i, term] : llvm::enumerate(s.form.program.terms())) {
    if (term.products.empty())
      sumPairs(s, rows, chunk, run, i);
    else
      multiplyDots(s, tiles, chunk, run, i);
    if (term.squares)
      finishSquares(s, rows, chunk, run, i);
  }
}
