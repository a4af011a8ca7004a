// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The keys of heads that are too few to keep all slots busy, split between
// slots (Flash-Decoding: Dao et al. 2023).

#ifndef ATTN_CODEGEN_CPU_CACHE_SPLITKEYS_H
#define ATTN_CODEGEN_CPU_CACHE_SPLITKEYS_H

#include "codegen/cpu/cache/StreamedRows.h"

namespace attn::cpu {

/// More rows of a head pay for packing all of its keys, and are not split.
inline constexpr int64_t kFewRows = 8;

/// The heads of a call, those that go together as one.
struct HeadsOfCall {
  Value count;
  Value rows;    ///< the most that one has
  Value longest; ///< the most keys that one has
};

/// A task is the rows of a head and a part of their keys: a chunk of them where
/// keys are split, else all. What chunks give waits in the scratch of their
/// slot, and is added up in the order that one slot has, so that no bit tells.
class SplitKeys {
public:
  SplitKeys(const Stream &stream, const HeadsOfCall &heads);

  Value isSplit;
  /// Into how many parts a head's keys go, at least one.
  Value partsOf(Value keys) const;

  /// Computes a part of the keys of rows, the task `number` of this slot's own.
  void emitPart(AttentionState &s, const HeadRows &rows, Value part,
                Value number) const;
  /// Adds up the parts of rows, where keys are split: the tasks from `first`
  /// on, of `count` that the slots shared.
  void addParts(AttentionState &s, const HeadRows &rows, Value first,
                Value count) const;

  /// Bytes that a slot needs behind the scratch of its stream, for no more than
  /// `heads` heads.
  static Value scratchBytes(TileBuilder &b, const AttentionForm &form,
                            Value heads);

private:
  AttentionState sumsOf(const AttentionState &s, Value number) const;

  const Stream &stream;
  TileBuilder &b;
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_SPLITKEYS_H
