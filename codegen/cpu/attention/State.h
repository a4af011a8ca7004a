// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the parts of an attention kernel share while it is built.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_STATE_H
#define ATTN_CODEGEN_CPU_ATTENTION_STATE_H

#include "codegen/cpu/attention/Scratch.h"

namespace attn::cpu {

/// The kernel being built: its form, its sizes and its scratch.
struct AttentionState {
  AttentionState(TileBuilder &b, const AttentionForm &form)
      : b(b), form(form), m(b.dim(form.queries.front(), 2)),
        n(b.dim(form.value, 2)), layout(b, form, n), scratch(b, form, layout) {}

  TileBuilder &b;
  const AttentionForm &form;
  Value m, n; ///< queries, keys
  ScratchLayout layout;
  ScratchBuffers scratch;
  bool failed = false; ///< a region could not be inlined; the error is emitted
};

/// The rows that share one pass over the keys: `count` queries of one head.
struct HeadRows {
  Value batch, head, keyHead;
  Value first, count;
};

/// Keys [first, first + count), a multiple of kChunkKeys and at most that many.
struct Chunk {
  Value first, count;
  Value runs; ///< how many the table holds; null for one of all keys
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_STATE_H
