// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where a slot of an attention kernel keeps its queries, scores and sums.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SCRATCH_H
#define ATTN_CODEGEN_CPU_ATTENTION_SCRATCH_H

#include "codegen/cpu/attention/Form.h"

namespace attn::cpu {

/// Keys whose scores a block of rows holds at a time. Chunks start at key 0, so
/// that a row meets the same ones whatever travels beside it.
inline constexpr int64_t kChunkKeys = 1024;

/// Where things lie in a slot's scratch, in bytes.
struct ScratchLayout {
  ScratchLayout(TileBuilder &b, const AttentionForm &form, Value keys);

  int64_t rows;                   ///< of a block
  int64_t queryWidth, valueWidth; ///< padded to whole vectors
  int64_t output, sums, references, finite, scores;
  Value panels;     ///< of keys
  Value scoreWidth; ///< floats between rows of scores
  Value keyPanels, bytes;
};

/// The same as memory.
struct ScratchBuffers {
  ScratchBuffers(TileBuilder &b, const AttentionForm &form,
                 const ScratchLayout &layout);

  Value queries;    ///< [rows][queryWidth], scaled
  Value outputs;    ///< [rows][valueWidth], not yet normalised
  Value sums;       ///< [rows][16], of weights, by key modulo 16
  Value references; ///< [rows], what scores of a row are relative to
  Value finite;     ///< [1], 0 where every value of the head is finite
  Value scores;     ///< [rows][scoreWidth], of a chunk: scores, then weights
  Value keyPanels;  ///< [panels][D][16], of a key head
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SCRATCH_H
