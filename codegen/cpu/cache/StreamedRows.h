// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Few rows against many keys: keys and values pass by once, and nothing of them
// outlives their chunk.

#ifndef ATTN_CODEGEN_CPU_CACHE_STREAMEDROWS_H
#define ATTN_CODEGEN_CPU_CACHE_STREAMEDROWS_H

#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "codegen/cpu/cache/Pages.h"

#include <optional>

namespace attn::cpu {

/// Bytes of scratch that a slot needs.
Value streamScratch(TileBuilder &b, const AttentionForm &form);

/// How many heads are rows of one block: those that share a key head, where
/// nothing of the score is computed for a head alone.
int64_t headsTogether(const AttentionForm &form);

/// A kernel whose rows are streamed.
class Stream {
public:
  /// With register tiles of up to `tallest` rows.
  Stream(TileBuilder &b, const AttentionForm &form, int tallest);

  /// Rows [first, first + count) of a key head of a batch: of its heads'
  /// queries, where heads go together; else `head` is a head. `origin` is as in
  /// HeadRows.
  HeadRows rowsOf(Value batch, Value head, Value first, Value count,
                  Value origin) const;
  /// The outputs of rows in two parts: adds what some chunks of keys give to
  /// `total`, which startRows began, and writes it. computeRows was called for
  /// the rows.
  void addKeys(AttentionState &s, AttentionState &total, const HeadRows &rows,
               const Keys &keys) const;
  void finishRows(AttentionState &total, const HeadRows &rows) const;

  const AttentionForm &attention() const { return form; }
  /// What addKeys starts from.
  AttentionState state() const;

  TileBuilder &b;
  const int64_t together; ///< heads
  const int tallest;

private:
  struct Block;
  void emitChunk(AttentionState &s, const Block &block,
                 const Chunk &chunk) const;
  void fillRun(AttentionState &s, const Block &block, const Chunk &chunk,
               const KeyRun &run) const;

  AttentionForm form; ///< its keys are a block copied from pages, if need be
  bool direct;        ///< pages hold all that is needed of keys
  std::optional<PagedEntry> entry;
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_STREAMEDROWS_H
