// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an exporter did to queries, keys and values before a matrix product.

#ifndef ATTN_PASSES_RAISE_ATTENTIONOPERANDS_H
#define ATTN_PASSES_RAISE_ATTENTIONOPERANDS_H

#include "dialect/AttnOps.h"
#include "mlir/IR/PatternMatch.h"

namespace attn {

/// value * factor.
struct Scaled {
  mlir::Value value;
  double factor = 1;
};

/// map(x) = x * c or x / c => {x, c}, repeatedly; {value, 1} where it is
/// neither.
Scaled matchScale(mlir::Value value);

/// `value` with dimension permutation[i] as its i-th. Composes with a transpose
/// that is there already and may so undo it.
mlir::Value createTransposed(mlir::RewriterBase &rewriter, mlir::Value value,
                             llvm::ArrayRef<int64_t> permutation);

/// The keys or values [B, G, N, D] of which `value` [B, G r, N, D] repeats each
/// head r times, by broadcasts, reshapes or joining copies; null where it is no
/// repetition. Creates nothing.
mlir::Value matchRepeatedHeads(mlir::Value value);

} // namespace attn

#endif // ATTN_PASSES_RAISE_ATTENTIONOPERANDS_H
