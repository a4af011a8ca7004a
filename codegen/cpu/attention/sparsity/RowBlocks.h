// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The blocks that the rows of a head are split into, and which of them are a
// slot's.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_ROWBLOCKS_H
#define ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_ROWBLOCKS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Blocks of at most TargetSpec::attentionRows rows, as even as kRowStep
/// allows.
class RowBlocks {
public:
  explicit RowBlocks(AttentionState &s);

  Value count; ///< of a head; 0 where it has no rows
  /// Rows of the blocks [first, end), `head` giving all else.
  HeadRows rowsOf(const HeadRows &head, Value first, Value end) const;

private:
  Value firstRow(Value block) const;

  TileBuilder &b;
  Value m, divisor;
};

/// Rows that are kept or left out together.
inline constexpr int64_t kRowGroup = 2 * kRowStep;

/// `rows` without those before and after that keep nothing at all, in groups;
/// of a count of 0 where none keeps a key.
HeadRows keptRows(AttentionState &s, const HeadRows &rows);

/// This slot's share [first, last) of the blocks of `groups` equal heads, or of
/// all heads of `groups` batches where they go together, numbered one after the
/// other. Where keep leaves keys out, blocks count by the keys that are left.
std::pair<Value, Value> shareOfBlocks(AttentionState &s,
                                      const RowBlocks &blocks, Value groups);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_ROWBLOCKS_H
