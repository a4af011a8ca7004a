// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rewrites of a score given as scalar operations: its mask and its scale.

#ifndef ATTN_PASSES_RAISE_SCORESIMPLIFICATION_H
#define ATTN_PASSES_RAISE_SCORESIMPLIFICATION_H

#include "mlir/IR/Builders.h"

namespace attn {

/// A score and the condition under which its key counts.
struct MaskedScore {
  mlir::Value score;
  /// Null where every key counts.
  mlir::Value keep;
};

/// select(c, s, -inf), s + select(c, 0, -inf), s + log(c), under sums and
/// positive factors => {s, c}. A key filled with minus infinity has weight 0,
/// which is what `keep` says. Finite fills stay in the score: they keep their
/// own meaning.
MaskedScore extractKeep(mlir::OpBuilder &builder, mlir::Value score);

/// (dot * factor) * c1 / c2 ... => dot * (factor c1 / c2 ...), computed in f64
/// and rounded once. `dot` has one use; returns the value that stands for
/// `score` afterwards.
mlir::Value foldScale(mlir::OpBuilder &builder, mlir::Value dot, double factor,
                      mlir::Value score);

/// isnan(p) ? 0 : p => p, which exporters write against rows that keep nothing.
mlir::Value dropNanGuard(mlir::Value weight, mlir::Value normalized);

/// The condition c of a number that is 1 where c holds and else 0; null where
/// it is none.
mlir::Value matchCondition(mlir::Value number);

/// The value of a scalar f32 constant.
std::optional<double> getConstant(mlir::Value value);

} // namespace attn

#endif // ATTN_PASSES_RAISE_SCORESIMPLIFICATION_H
