// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which keys a block of rows has to look at, and which of them to ask keep for.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_KEYRUNS_H
#define ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_KEYRUNS_H

#include "codegen/attention/KeepIntervals.h"
#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Keys [first, first + count).
struct Keys {
  Value first, count;
};

/// Whether ranges of captured tensors are searched for their extremes.
enum class Search { ElementsOnly, Ranges };

/// What keep says of all pairs of `rows` and `keys`, neither of them empty.
Verdict judge(AttentionState &s, const HeadRows &rows, const Keys &keys,
              Search search);

/// Neighbouring keys of a chunk that are treated alike.
struct KeyRun {
  Value column; ///< of the chunk, a multiple of kBlockKeys
  Value count;
  Value asksKeep; ///< i1: else every key is kept; null where that is not known
};

/// body(chunk) for every chunk, ascending; each is one run.
void forChunks(AttentionState &s, llvm::function_ref<void(const Chunk &)> body);

/// body(chunk) for each chunk of which `rows` may keep a key, with its runs,
/// and leftOut(keys), if given, for the others: every chunk whole without a
/// keep. Only chunks of `keys`, which begin with one.
void forKeptChunks(AttentionState &s, const HeadRows &rows, const Keys &keys,
                   llvm::function_ref<void(const Chunk &)> body,
                   llvm::function_ref<void(const Keys &)> leftOut = {});
/// The same for all keys.
void forKeptChunks(AttentionState &s, const HeadRows &rows,
                   llvm::function_ref<void(const Chunk &)> body,
                   llvm::function_ref<void(const Keys &)> leftOut = {});

/// body(run, carried) for each run of a chunk, ascending. No row keeps a key
/// between the runs.
llvm::SmallVector<Value>
forRuns(AttentionState &s, const Chunk &chunk, ValueRange inits,
        llvm::function_ref<llvm::SmallVector<Value>(const KeyRun &, ValueRange)>
            body);
void forRuns(AttentionState &s, const Chunk &chunk,
             llvm::function_ref<void(const KeyRun &)> body);

/// body(keys) for the keys of a chunk between its runs.
void forGaps(AttentionState &s, const Chunk &chunk,
             llvm::function_ref<void(const Keys &)> body);

/// 16 keys of a run.
struct RunLanes {
  Value column; ///< of the chunk, of lane 0
  Value mask;   ///< keys that exist; null for all
  bool isKept;  ///< every key is kept
};

/// body(lanes, carried) for the keys of all runs of a chunk, once in code for
/// keys that are kept and once for those to ask for.
llvm::SmallVector<Value> forRunLanes(
    AttentionState &s, const Chunk &chunk, ValueRange inits,
    llvm::function_ref<llvm::SmallVector<Value>(const RunLanes &, ValueRange)>
        body);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_KEYRUNS_H
