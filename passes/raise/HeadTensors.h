// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Queries, keys and values in the order of dimensions that attn.attention has.

#ifndef ATTN_PASSES_RAISE_HEADTENSORS_H
#define ATTN_PASSES_RAISE_HEADTENSORS_H

#include "mlir/IR/PatternMatch.h"

namespace attn {

/// How a tensor becomes [batch, head, row, width]: dimensions of size 1 that
/// are none of these are dropped, the others permuted, and those that are
/// missing added with size 1.
class HeadLayout {
public:
  /// `coordinates` says for each dimension of `tensor` what it is: one of
  /// `order` (batch, head, row, and null for the width), or anything else where
  /// it has size 1. Nothing where another dimension is in the way.
  static std::optional<HeadLayout> find(mlir::Value tensor,
                                        llvm::ArrayRef<mlir::Value> coordinates,
                                        llvm::ArrayRef<mlir::Value> order);

  /// The type of the result.
  mlir::RankedTensorType getType() const { return type; }

  mlir::Value create(mlir::RewriterBase &rewriter) const;

private:
  mlir::Value tensor;
  llvm::SmallVector<int64_t> kept, permutation;
  /// Of the four, whether the tensor has it.
  llvm::SmallVector<bool> present;
  mlir::RankedTensorType type;
};

/// The dimensions before the last two of [M, D] and [B, M, D], as [B, H, M, D]
/// with one head and one batch.
llvm::SmallVector<mlir::ReassociationIndices>
getHeadReassociation(int64_t rank);

/// `type` with dimensions of size 1 added before its last two, up to four.
mlir::RankedTensorType withHeads(mlir::RankedTensorType type);

} // namespace attn

#endif // ATTN_PASSES_RAISE_HEADTENSORS_H
