// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the parts of an attention kernel share while it is built.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_STATE_H
#define ATTN_CODEGEN_CPU_ATTENTION_STATE_H

#include "codegen/cpu/attention/Scratch.h"

namespace attn::cpu {

/// The rows that share one pass over the keys: `count` queries of one head; or,
/// where heads go together, of all that share a key head, query by query.
struct HeadRows {
  Value batch, head, keyHead;
  Value first, count;
  Value origin; ///< where ragged rows have query 0 of the batch; else null
  int64_t together = 1; ///< heads

  /// One row alone: its own head and query.
  HeadRows only(TileBuilder &b, Value row) const {
    Value at = b.add(first, row);
    if (together == 1)
      return {batch, head, keyHead, at, b.idx(1), origin};
    Value own = b.add(b.mul(keyHead, together), b.rem(at, together));
    return {batch, own, keyHead, b.div(at, together), b.idx(1), origin};
  }

  /// Where a query of the batch lies in memory.
  llvm::SmallVector<Value> queryPlace(TileBuilder &b, Value query) const {
    if (!origin)
      return {batch, head, query};
    return {b.idx(0), head, b.add(origin, query)};
  }
};

/// The kernel being built: its form, its sizes and its scratch.
struct AttentionState {
  AttentionState(TileBuilder &b, const AttentionForm &form)
      : AttentionState(
            b, form,
            ScratchLayout(b, form, form.positions(b), form.positions(b))) {}
  AttentionState(TileBuilder &b, const AttentionForm &form,
                 const ScratchLayout &layout)
      : b(b), form(form), m(b.dim(form.queries.front(), 2)),
        n(form.positions(b)), packedFrom(b.idx(0)), copiedFrom(b.idx(0)),
        layout(layout), scratch(b, form, layout) {}

  /// Where a key of the batch lies in memory, and its value.
  llvm::SmallVector<Value> keyPlace(const HeadRows &rows, Value key) const {
    if (form.pages)
      return {b.idx(0), b.idx(0), b.sub(key, copiedFrom)};
    return {rows.batch, rows.keyHead, key};
  }
  /// Where scratch has what is computed of a key.
  Value packedKey(Value key) const { return b.sub(key, packedFrom); }

  TileBuilder &b;
  const AttentionForm &form;
  Value m, n;       ///< queries, keys
  Value packedFrom; ///< the first key of those that scratch has panels of
  Value copiedFrom; ///< the first of those copied from pages to rows
  ScratchLayout layout;
  ScratchBuffers scratch;
  bool failed = false; ///< a region could not be inlined; the error is emitted
};

/// Keys [first, first + count), a multiple of kChunkKeys and at most that many.
struct Chunk {
  Value first, count;
  Value runs; ///< how many the table holds; null for one of all keys
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_STATE_H
