// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which scalars of a weight are its score, and how scores become weights.

#ifndef ATTN_PASSES_RAISE_NORMALIZER_H
#define ATTN_PASSES_RAISE_NORMALIZER_H

#include "passes/raise/ScoreReader.h"

namespace attn {

/// weight = f(normalized), normalized = normalizer(score).
struct NormalizedScore {
  Normalizer normalizer = Normalizer::Softmax;
  mlir::Value score;
  /// f, of the block's argument for the normalised weight.
  mlir::Value weight;
  /// Where this is not null, only keys for which it holds count.
  mlir::Value keep;
  /// Scalars that are the normalised weight.
  llvm::SmallVector<mlir::Value> normalized;
};

/// Takes the expression of a weight apart:
/// - f(softmax(s)), softmax as an operation;
/// - f(exp(s - max) / sum(exp(s - max))), with or without a maximum, where the
///   numerator may be 0 for what a condition masks;
/// - f(1 / (1 + exp(-s))), the sigmoid;
/// - else the scores are the weights.
/// Changes scalars in place. Fails with a reason where the expression has other
/// sums or maxima of scores in it.
mlir::FailureOr<NormalizedScore>
normalize(mlir::OpBuilder &builder, ScoreReader &reader, ScoreBlock &scalars,
          mlir::Value weight, std::string &reason);

} // namespace attn

#endif // ATTN_PASSES_RAISE_NORMALIZER_H
