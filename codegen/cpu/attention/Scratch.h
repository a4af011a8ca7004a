// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where a slot of an attention kernel keeps its queries, scores and sums.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SCRATCH_H
#define ATTN_CODEGEN_CPU_ATTENTION_SCRATCH_H

#include "codegen/cpu/attention/Form.h"

namespace attn::cpu {

/// Keys whose scores a block of rows holds at a time. Chunks start at key 0, so
/// that a row meets the same ones whatever travels beside it.
inline constexpr int64_t kChunkKeys = 1024;
/// Keys that are left out together where no row of a block keeps one.
inline constexpr int64_t kBlockKeys = 64;
/// Register tiles have heights that are multiples of this. Scratch has room for
/// the rows that they compute too many: a target's attentionRows is a multiple,
/// too.
inline constexpr int kRowStep = 2;

/// Where things lie in a slot's scratch, in bytes.
struct ScratchLayout {
  /// For panels of `keys` keys and of `values` values.
  ScratchLayout(TileBuilder &b, const AttentionForm &form, Value keys,
                Value values);

  int64_t rows;       ///< of a block
  int64_t valueWidth; ///< padded to whole vectors
  int64_t scoreWidth; ///< floats between rows of scores
  int64_t output, sums, references, factors, finite, runs;
  int64_t totalOutput, totalSums, totalReferences;
  Value panels; ///< of keys
  llvm::SmallVector<Value> vectors, scalars, terms;
  Value scores, valuePanels, bytes;
};

/// The same as memory.
struct ScratchBuffers {
  ScratchBuffers(TileBuilder &b, const AttentionForm &form,
                 const ScratchLayout &layout);

  Value outputs;    ///< [rows][valueWidth], not yet normalised
  Value sums;       ///< [rows][16], of weights, by key modulo 16
  Value references; ///< [rows], what scores of a row are relative to
  /// The same of all chunks before, where each is computed on its own.
  Value totalOutputs, totalSums, totalReferences;
  Value factors; ///< [rows], 1 / the sum of a row's weights
  Value finite;  ///< [1], 0 where every value of the head is finite
  Value runs;    ///< [chunk / block][3], see KeyRuns
  /// The program's sided vectors: [rows][padded D] or [1][padded D], and of
  /// keys [panels][D][16].
  llvm::SmallVector<Value> vectors;
  /// The program's sided scalars: [rows], [1], or of keys [panels * 16].
  llvm::SmallVector<Value> scalars;
  llvm::SmallVector<Value> terms; ///< [rows][scoreWidth], of a chunk
  Value scores;      ///< [rows][scoreWidth], of a chunk: scores, then weights
  Value valuePanels; ///< [E / 16][N][16], of a key head
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SCRATCH_H
