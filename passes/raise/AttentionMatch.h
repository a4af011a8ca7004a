// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whether a product is the end of an attention, and of which one.

#ifndef ATTN_PASSES_RAISE_ATTENTIONMATCH_H
#define ATTN_PASSES_RAISE_ATTENTIONMATCH_H

#include "passes/raise/HeadTensors.h"
#include "passes/raise/Normalizer.h"
#include "passes/raise/ScoreReader.h"

namespace attn {

/// True where `op` asks for a constant dimension's size alone.
bool isSize(mlir::Operation *op);

/// A product of weights and values, and what is found out about it.
class AttentionMatch {
public:
  explicit AttentionMatch(MatmulOp output)
      : output(output), builder(output.getContext()), scalars(output.getLoc()),
        rank(output.getResult().getType().getRank()),
        reader(builder, scalars, rank) {}

  /// Why it cannot be raised; empty where its weights are none of an attention.
  using Reason = std::string;

  /// Fills the members below; false where there is no attention.
  bool match(Reason &reason);

  MatmulOp output;
  mlir::OpBuilder builder; ///< of the scalars
  ScoreBlock scalars;
  int64_t rank;
  ScoreReader reader;

  NormalizedScore parts;
  /// Results of the chain that are the weights and are read elsewhere too.
  llvm::SmallVector<mlir::Value> returned;
  /// Numbers of a query and a key each, and where these have their dimensions.
  llvm::SmallVector<std::pair<unsigned, unsigned>> pairs;
  llvm::SmallVector<HeadLayout> queries, keys;
  std::optional<HeadLayout> value;
  /// Those that a region reads, with their arguments in the scalars' block.
  llvm::SmallVector<std::pair<mlir::Value, mlir::BlockArgument>> captures;

private:
  bool readWeights(Reason &reason);
  bool findOtherReaders(Reason &reason);
  bool isReturnedWeight(mlir::Operation *op);
  void simplify();
  void eraseUnused();
  void dropUnusedCaptures();
  bool findPairs(Reason &reason);
  bool layOut(Reason &reason);
};

} // namespace attn

#endif // ATTN_PASSES_RAISE_ATTENTIONMATCH_H
