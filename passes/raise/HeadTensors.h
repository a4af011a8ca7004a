// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Queries, keys and values in the order of dimensions that attn.attention has.

#ifndef ATTN_PASSES_RAISE_HEADTENSORS_H
#define ATTN_PASSES_RAISE_HEADTENSORS_H

#include "mlir/IR/PatternMatch.h"

namespace attn {

/// How a tensor becomes [batch, head, row, width], or the same with an outer
/// dimension of batches in front: dimensions of size 1 that are none of these
/// are dropped, the others permuted, and those that are missing added with
/// size 1.
class HeadLayout {
public:
  /// `coordinates` says for each dimension of `tensor` what it is: one of
  /// `order` (outer, batch, head, row, and null for the width; the first may be
  /// left out), or anything else where it has size 1. Nothing where another
  /// dimension is in the way.
  static std::optional<HeadLayout> find(mlir::Value tensor,
                                        llvm::ArrayRef<mlir::Value> coordinates,
                                        llvm::ArrayRef<mlir::Value> order);

  /// The type of the result.
  mlir::RankedTensorType getType() const { return type; }

  mlir::Value create(mlir::RewriterBase &rewriter) const;

private:
  mlir::Value tensor;
  llvm::SmallVector<int64_t> kept, permutation;
  /// Of those in order, whether the tensor has it.
  llvm::SmallVector<bool> present;
  mlir::RankedTensorType type;
};

/// The dimensions before the last two of [M, D] and [B, M, D], as [B, H, M, D]
/// with one head and one batch; those of [O, B, H, M, D] as [O B, H, M, D].
llvm::SmallVector<mlir::ReassociationIndices>
getHeadReassociation(int64_t rank);

/// `type` with dimensions of size 1 added before its last two, up to four, or
/// the first two of five joined.
mlir::RankedTensorType withHeads(mlir::RankedTensorType type);

/// [O, B, H, M, D] as [O B, H, M, D], behind a transpose that leaves the first
/// two in place: attention reads through one of four dimensions. Others as they
/// are.
mlir::Value joinBatches(mlir::RewriterBase &rewriter, mlir::Value value);

/// transpose(split(x)) => split(transpose(x)), where x = [O B, H, M, D] is
/// split into O and B, and the transpose leaves both in place.
void populateTransposesOfBatches(mlir::RewritePatternSet &patterns);

} // namespace attn

#endif // ATTN_PASSES_RAISE_HEADTENSORS_H
