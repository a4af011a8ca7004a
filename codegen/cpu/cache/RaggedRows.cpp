// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is a block of rows of one key head of one sequence, or a part of its
// keys. Slots take tasks that follow one another and cost about the same
// together.

#include "codegen/cpu/cache/RaggedRows.h"

#include "codegen/cpu/cache/SplitKeys.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static Value readIndex(TileBuilder &b, Value buffer, Value at) {
  return arith::IndexCastOp::create(b, b.getIndexType(),
                                    b.loadScalar(buffer, at));
}

/// Those that go together are one.
static Value headsOfSequence(TileBuilder &b, const AttentionForm &form) {
  return b.div(b.dim(form.queries.front(), 1), headsTogether(form));
}

static Value headsOfCall(TileBuilder &b, const AttentionForm &form) {
  return b.mul(b.dim(form.starts, 0), headsOfSequence(b, form));
}

namespace {

/// A sequence of the call.
struct Sequence {
  Value number;
  Value origin; ///< its first query
  Value queries, keys;
  Value rows; ///< of one of its heads
};

/// The tasks of a sequence: `heads` times `blocks` times `parts`, each of one
/// cost.
struct SequenceTasks {
  Value heads, blocks, parts, cost;
};

class RaggedRows {
public:
  RaggedRows(TileBuilder &b, const AttentionForm &form)
      : b(b), stream(b, form, b.target.attention.rows),
        keys(stream, headsOfAll()) {}

  LogicalResult emitShare() const;
  LogicalResult addParts() const;

private:
  Sequence read(Value number) const;
  HeadsOfCall headsOfAll() const;
  SequenceTasks tasksOf(const Sequence &sequence) const;
  /// What all tasks of a sequence cost; where keys are split, their count.
  Value costOf(const SequenceTasks &tasks) const {
    return b.mul(b.mul(tasks.heads, b.mul(tasks.blocks, tasks.parts)),
                 tasks.cost);
  }
  Value costOfAll() const;
  /// body(state, sequence, tasks, cost of the sequences before)
  LogicalResult
  forSequences(llvm::function_ref<void(AttentionState &, const Sequence &,
                                       const SequenceTasks &, Value)>
                   body) const;

  TileBuilder &b;
  Stream stream;
  SplitKeys keys;
};

} // namespace

Sequence RaggedRows::read(Value number) const {
  const AttentionForm &form = stream.attention();
  Value sequences = b.dim(form.starts, 0), next = b.add(number, 1);
  Value isLast = b.equal(next, sequences);
  Value origin = readIndex(b, form.starts, number);
  Value end = readIndex(b, form.starts, b.select(isLast, number, next));
  end = b.select(isLast, b.dim(form.queries.front(), 2), end);
  Value queries = b.sub(end, origin);
  return {number, origin, queries, readIndex(b, form.lengths, number),
          b.mul(queries, stream.together)};
}

HeadsOfCall RaggedRows::headsOfAll() const {
  const AttentionForm &form = stream.attention();
  SmallVector<Value> most = b.forRange(
      b.idx(0), b.dim(form.starts, 0), b.idx(1), {b.idx(0), b.idx(0)},
      [&](Value number, ValueRange before) -> SmallVector<Value> {
        Sequence sequence = read(number);
        return {b.max(before[0], sequence.rows),
                b.max(before[1], sequence.keys)};
      });
  return {headsOfCall(b, form), most[0], most[1]};
}

SequenceTasks RaggedRows::tasksOf(const Sequence &sequence) const {
  // What a block costs besides its keys is worth a page of them.
  Value cost = b.add(sequence.keys, kBlockKeys);
  return {headsOfSequence(b, stream.attention()),
          b.ceilDiv(sequence.rows, b.target.attentionRows),
          keys.partsOf(sequence.keys), b.select(keys.isSplit, b.idx(1), cost)};
}

Value RaggedRows::costOfAll() const {
  Value sequences = b.dim(stream.attention().starts, 0);
  return b.forRange(b.idx(0), sequences, b.idx(1), {b.idx(0)},
                    [&](Value number, ValueRange sum) -> SmallVector<Value> {
                      Value cost = costOf(tasksOf(read(number)));
                      return {b.add(sum.front(), cost)};
                    })[0];
}

LogicalResult RaggedRows::forSequences(
    llvm::function_ref<void(AttentionState &, const Sequence &,
                            const SequenceTasks &, Value)>
        body) const {
  AttentionState all = stream.state();
  b.forRange(b.idx(0), b.dim(stream.attention().starts, 0), b.idx(1),
             {b.idx(0)},
             [&](Value number, ValueRange sum) -> SmallVector<Value> {
               Sequence sequence = read(number);
               SequenceTasks tasks = tasksOf(sequence);
               AttentionState s(all);
               s.m = sequence.queries;
               s.n = sequence.keys;
               body(s, sequence, tasks, sum.front());
               all.failed |= s.failed;
               return {b.add(sum.front(), costOf(tasks))};
             });
  return failure(all.failed);
}

LogicalResult RaggedRows::emitShare() const {
  auto [low, high] = b.share(costOfAll());
  // Of each sequence those tasks that begin in [low, high).
  return forSequences([&, low = low,
                       high = high](AttentionState &s, const Sequence &sequence,
                                    const SequenceTasks &tasks, Value before) {
    Value blocks = b.max(tasks.blocks, b.idx(1)); // no rows: no tasks
    Value count = b.mul(tasks.heads, b.mul(tasks.blocks, tasks.parts));
    auto firstFrom = [&](Value cost) {
      Value distance = b.sub(b.max(cost, before), before);
      return b.min(b.ceilDiv(distance, tasks.cost), count);
    };
    b.forRange(firstFrom(low), firstFrom(high), b.idx(1), [&](Value task) {
      Value part = b.rem(task, tasks.parts), of = b.div(task, tasks.parts);
      Value block = b.rem(of, blocks);
      Value first = b.div(b.mul(sequence.rows, block), blocks);
      Value next = b.div(b.mul(sequence.rows, b.add(block, 1)), blocks);
      HeadRows rows = stream.rowsOf(sequence.number, b.div(of, blocks), first,
                                    b.sub(next, first), sequence.origin);
      keys.emitPart(s, rows, part, b.sub(b.add(before, task), low));
    });
  });
}

LogicalResult RaggedRows::addParts() const {
  bool failedOnce = false;
  b.ifThen(keys.isSplit, [&] {
    Value count = costOfAll();
    failedOnce |=
        failed(forSequences([&](AttentionState &s, const Sequence &sequence,
                                const SequenceTasks &tasks, Value before) {
          // A sequence without rows has no block and leaves nothing.
          b.forRange(b.mul(tasks.heads, tasks.blocks), [&](Value head) {
            HeadRows rows = stream.rowsOf(sequence.number, head, b.idx(0),
                                          sequence.rows, sequence.origin);
            Value first = b.add(before, b.mul(head, tasks.parts));
            keys.addParts(s, rows, first, count);
          });
        }));
  });
  return failure(failedOnce);
}

Value attn::cpu::raggedScratch(TileBuilder &b, const AttentionForm &form) {
  Value parts = SplitKeys::scratchBytes(b, form, headsOfCall(b, form));
  return b.add(streamScratch(b, form), parts);
}

LogicalResult attn::cpu::emitRagged(TileBuilder &b, const AttentionForm &form) {
  return RaggedRows(b, form).emitShare();
}

LogicalResult attn::cpu::finishRagged(TileBuilder &b,
                                      const AttentionForm &form) {
  return RaggedRows(b, form).addParts();
}
