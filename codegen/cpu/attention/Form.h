// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the schedule of attention needs to know of an attn.attention.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_FORM_H
#define ATTN_CODEGEN_CPU_ATTENTION_FORM_H

#include "codegen/attention/ScoreProgram.h"
#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

inline constexpr double kLog2E = 1.44269504088896341;

struct AttentionForm {
  explicit AttentionForm(AttentionOp op)
      : op(op), program(op), normalizer(op.getNormalizer()) {}

  AttentionOp op;
  ScoreProgram program;
  Normalizer normalizer;
  /// [B, H, M, D], [B, G, N, D], [B, G, N, E], [B, H, M, E], strided where the
  /// kernel transposes.
  llvm::SmallVector<Value> queries, keys;
  Value value, output;
  /// What the keys and values are pages of; their views are null then. Or null.
  ReadPagesOp pages;
  Value starts, lengths; ///< [B] of ragged rows, or null
  llvm::SmallVector<Value> captures;
  Value sink;      ///< [H], or null
  Value weights;   ///< [B, H, M, N], [B, M, N], or null
  Value logsumexp; ///< [B, H, M], or null
  int64_t valueWidth, headsPerKeyHead;
  mlir::Region *score;
  mlir::Region *keep;   ///< or null
  mlir::Region *weight; ///< or null
  /// Whether the only term is the score itself: to base 2 for softmax, as it
  /// is otherwise.
  bool isWholeScore = false;

  /// Keys that there is room for.
  Value positions(TileBuilder &b) const;
  bool isSoftmax() const { return normalizer == Normalizer::Softmax; }
  bool returnsMean() const {
    return weights &&
           mlir::cast<mlir::MemRefType>(weights.getType()).getRank() == 3;
  }
  /// Whether each weight is needed as it leaves the normaliser, not only up to
  /// a factor of its row.
  bool needsWeights() const { return weights || weight; }
  /// Whether keep is another one for each head.
  bool keepReadsHead() const {
    return keep && !keep->getArgument(2 * queries.size() + 1).use_empty();
  }
  /// Whether scores may take the place of the first term.
  bool scoresReplaceTerm() const {
    return !program.terms().empty() && !(weight && program.reads(*weight, 0));
  }
};

/// The memory that `tensor` is read from, through at most one transpose that
/// leaves the last of four dimensions in place; null where there is none.
Value readView(TileBuilder &b, Value tensor);

/// Reads the kernel around `op`. Emits an error where its operands and results
/// are no memory that the kernel could work on.
mlir::FailureOr<AttentionForm> readAttention(TileBuilder &b, AttentionOp op);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_FORM_H
