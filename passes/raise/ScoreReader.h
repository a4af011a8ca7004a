// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads the element of a tensor of weights as an expression over queries and
// keys.

#ifndef ATTN_PASSES_RAISE_SCOREREADER_H
#define ATTN_PASSES_RAISE_SCOREREADER_H

#include "dialect/AttnOps.h"
#include "passes/raise/ElementReader.h"

namespace attn {

/// Where scalars of a score are computed, and the arguments of that block. Of
/// the two blocks the scalars use values of, `vectors` has query and key
/// vectors, `sums` what a row of scores sums to.
struct ScoreBlock {
  ScoreBlock(mlir::Location loc);

  mlir::Block vectors, sums, block;
  /// `outer` is a second dimension of batches in front of the first.
  mlir::Value weight, outer, batch, head, row, column, rows, columns;
};

/// Queries or keys: vectors numbered by batch, head and row or column. A null
/// coordinate is the dimension along the vector.
struct VectorOperand {
  mlir::Value tensor;
  llvm::SmallVector<mlir::Value> coordinates;
  /// Its vector, an argument of ScoreBlock::vectors.
  mlir::Value argument;
};

/// A dot product that the graph computes as a matrix product, times a factor
/// taken off its operands.
struct DotProduct {
  unsigned query, key;
  mlir::Value scalar;
  double factor;
};

/// A sum or a maximum over the keys of a row, in ScoreBlock::sums.
struct RowReduction {
  mlir::Value scalar;
  /// What is reduced.
  mlir::Value element;
  bool isMaximum;
};

/// Roots are products of queries and keys, sums over the width of a head, the
/// softmax, and sums and maxima over keys.
class ScoreReader : public ElementReader {
public:
  /// The tensor of weights has `rank` dimensions, rows and columns last.
  ScoreReader(mlir::OpBuilder &builder, ScoreBlock &scalars, unsigned rank);

  /// Coordinates of a weight.
  Coordinates getCoordinates() const { return frame; }

  llvm::SmallVector<VectorOperand> queries, keys;
  llvm::SmallVector<DotProduct> products;
  llvm::SmallVector<RowReduction> reductions;
  /// The softmax on the way, what it reads and, where a column is joined to the
  /// scores before it and taken off again, the tensor of that column.
  SoftmaxOp softmax;
  Value softmaxScore, sink;
  /// There is a softmax, but not of products.
  bool hasOtherSoftmax = false;

protected:
  std::optional<mlir::FailureOr<Value>>
  readRoot(mlir::Operation *op, Coordinates coordinates) override;
  mlir::FailureOr<Value> readVector(Value tensor,
                                    Coordinates coordinates) override;

private:
  using Root = std::optional<mlir::FailureOr<Value>>;
  Root readProduct(MatmulOp op, Coordinates coordinates);
  Root readSoftmax(SoftmaxOp op, Coordinates coordinates);
  Root readSink(mlir::tensor::ExtractSliceOp op, Coordinates coordinates);
  Root readReduction(mlir::linalg::LinalgOp op, Coordinates coordinates);
  Root readOverKeys(mlir::linalg::LinalgOp op, Coordinates inner,
                    bool isMaximum);
  Root readOverWidth(mlir::linalg::LinalgOp op, Coordinates inner);
  Root readLinear(LinearOp op, Coordinates coordinates);
  Root readLookup(EmbeddingOp op, Coordinates coordinates);
  mlir::FailureOr<Value> setSoftmax(SoftmaxOp op, Value score);
  mlir::FailureOr<Value> findSink(Value tensor, Coordinates coordinates);
  Root sumVector(Value vector);
  unsigned addOperand(llvm::SmallVector<VectorOperand> &operands, Value tensor,
                      Coordinates coordinates);

  ScoreBlock &scalars;
  mlir::SmallVector<Value> frame;
};

} // namespace attn

#endif // ATTN_PASSES_RAISE_SCOREREADER_H
