// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights that are a sum or a multiple of what a softmax gives, as sums and
// multiples of attentions.

#ifndef ATTN_PASSES_RAISE_LINEARWEIGHTS_H
#define ATTN_PASSES_RAISE_LINEARWEIGHTS_H

#include "mlir/IR/PatternMatch.h"

namespace attn {

/// A product with values is linear in its weights, so that each softmax gets a
/// product of its own and that is divided by which is divided afterwards:
/// - (a + b) v => a v + b v, and the same for differences, where softmaxes of
///   both have other scores;
/// - (c p) v => c (p v), where c is the same for all keys and p a softmax, or a
///   multiple of one;
/// - (e v) / sum(e) => (e / sum(e)) v, the form that the softmax is read from.
void populateLinearWeights(mlir::RewritePatternSet &patterns);

} // namespace attn

#endif // ATTN_PASSES_RAISE_LINEARWEIGHTS_H
