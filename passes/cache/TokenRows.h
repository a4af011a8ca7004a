// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which dimension of each tensor of a model runs over the tokens, and whether
// every operation treats tokens one by one.

#ifndef ATTN_PASSES_CACHE_TOKENROWS_H
#define ATTN_PASSES_CACHE_TOKENROWS_H

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <optional>

namespace attn {

/// The tokens of a model function of one sequence. A tensor that depends on
/// tokens has them along one dimension, and its operation computes the part of
/// one token from the same token alone; what else may stand there is listed:
/// attentions, and what depends on a token's position.
class TokenRows {
public:
  /// `dimension` names the dimension of tokens in `attn.dims`. Emits an error
  /// at the first operation that mixes tokens.
  static mlir::FailureOr<TokenRows> compute(mlir::func::FuncOp function,
                                            llvm::StringRef dimension);

  /// The dimension that runs over the tokens; none where the value does not
  /// depend on them.
  std::optional<int64_t> rowsOf(mlir::Value value) const;
  /// Says so of a value that was made since.
  void setRows(mlir::Value value, int64_t dimension) {
    rows[value] = dimension;
  }
  /// Whether an index is the number of tokens.
  bool isCount(mlir::Value index) const { return counts.contains(index); }
  bool isTokenInput(mlir::BlockArgument argument) const {
    return rows.contains(argument);
  }

  /// Keys and values from the tokens themselves, and from another input.
  llvm::SmallVector<AttentionOp> selfAttentions, crossAttentions;
  /// Maps that use the coordinate of the token, and which loop that is.
  llvm::SmallVector<std::pair<mlir::linalg::GenericOp, unsigned>> ramps;
  /// The first rows of constant tables.
  llvm::SmallVector<mlir::tensor::ExtractSliceOp> tables;
  /// Running sums of a tensor of ones.
  llvm::SmallVector<mlir::linalg::GenericOp> runningCounts;

private:
  using Rows = mlir::FailureOr<int64_t>;

  mlir::LogicalResult bindArguments(mlir::func::FuncOp function,
                                    llvm::StringRef dimension);
  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::LogicalResult visitScalar(mlir::Operation *op);
  mlir::LogicalResult visitAttention(AttentionOp attention);
  Rows rowsOfResult(mlir::Operation *op);
  Rows rowsOfNorm(mlir::Operation *op, mlir::Value input, int64_t axes);
  Rows rowsOfReshape(mlir::Operation *op,
                     llvm::ArrayRef<mlir::ReassociationIndices> groups,
                     mlir::RankedTensorType wide);
  Rows rowsOfGeneric(mlir::linalg::GenericOp generic);
  Rows rowsOfLinear(LinearOp linear);
  Rows rowsOfMatmul(MatmulOp matmul);
  Rows rowsOfSlice(mlir::tensor::ExtractSliceOp slice);
  Rows rowsOfConcat(mlir::tensor::ConcatOp concat);
  Rows rowsOfEmpty(mlir::tensor::EmptyOp empty);
  Rows commonRows(mlir::Operation *op);

  llvm::DenseMap<mlir::Value, int64_t> rows;
  /// Numbers of tokens, and what is computed from them.
  llvm::DenseSet<mlir::Value> counts, derived;
  /// What depends on inputs other than the tokens.
  llvm::DenseSet<mlir::Value> others;
};

} // namespace attn

#endif // ATTN_PASSES_CACHE_TOKENROWS_H
