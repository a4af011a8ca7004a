// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is a block of rows of one key head of one sequence. Slots take tasks
// that follow one another and cost about the same together.

#include "codegen/cpu/cache/RaggedRows.h"

#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "codegen/cpu/cache/StreamedRows.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static Value readIndex(TileBuilder &b, Value buffer, Value at) {
  return arith::IndexCastOp::create(b, b.getIndexType(),
                                    b.loadScalar(buffer, at));
}

namespace {

/// A sequence of the call.
struct RaggedSequence {
  Value number;
  Value origin; ///< its first row
  Value rows, keys;
};

/// The tasks of a sequence: `heads` times `blocks`, each of one cost.
struct SequenceTasks {
  Value heads, blocks, cost;
};

} // namespace

static RaggedSequence readSequence(const Stream &stream, Value number) {
  TileBuilder &b = stream.b;
  const AttentionForm &form = stream.attention();
  Value sequences = b.dim(form.starts, 0), next = b.add(number, 1);
  Value isLast = b.equal(next, sequences);
  Value origin = readIndex(b, form.starts, number);
  Value end = readIndex(b, form.starts, b.select(isLast, number, next));
  end = b.select(isLast, b.dim(form.queries.front(), 2), end);
  return {number, origin, b.sub(end, origin),
          readIndex(b, form.lengths, number)};
}

static SequenceTasks tasksOf(const Stream &stream,
                             const RaggedSequence &sequence) {
  TileBuilder &b = stream.b;
  Value heads = b.dim(stream.attention().queries.front(), 1);
  Value rows = b.mul(sequence.rows, stream.together);
  // What a block costs besides its keys is worth a page of them.
  return {b.div(heads, stream.together),
          b.ceilDiv(rows, b.target.attentionRows),
          b.add(sequence.keys, kBlockKeys)};
}

static Value costOf(TileBuilder &b, const SequenceTasks &tasks) {
  return b.mul(b.mul(tasks.heads, tasks.blocks), tasks.cost);
}

/// Those tasks of a sequence, whose costs begin at `before`, that begin in
/// [low, high).
static void emitSequence(const Stream &stream, AttentionState &s,
                         const RaggedSequence &sequence,
                         const SequenceTasks &tasks, Value before, Value low,
                         Value high) {
  TileBuilder &b = s.b;
  Value number = b.mul(tasks.heads, tasks.blocks);
  auto firstFrom = [&](Value cost) {
    Value distance = b.sub(b.max(cost, before), before);
    return b.min(b.ceilDiv(distance, tasks.cost), number);
  };
  Value rows = b.mul(sequence.rows, stream.together);
  Value blocks = b.max(tasks.blocks, b.idx(1)); // no rows: no tasks
  b.forRange(firstFrom(low), firstFrom(high), b.idx(1), [&](Value task) {
    Value block = b.rem(task, blocks);
    Value first = b.div(b.mul(rows, block), blocks);
    Value next = b.div(b.mul(rows, b.add(block, 1)), blocks);
    stream.emitRows(s,
                    stream.rowsOf(sequence.number, b.div(task, blocks), first,
                                  b.sub(next, first), sequence.origin));
  });
}

LogicalResult attn::cpu::emitRagged(TileBuilder &b, const AttentionForm &form) {
  Stream stream(b, form, b.target.attention.rows);
  AttentionState all = stream.state();
  Value sequences = b.dim(form.starts, 0);
  Value total = b.forRange(
      b.idx(0), sequences, b.idx(1), {b.idx(0)},
      [&](Value number, ValueRange sum) -> SmallVector<Value> {
        RaggedSequence sequence = readSequence(stream, number);
        return {b.add(sum.front(), costOf(b, tasksOf(stream, sequence)))};
      })[0];
  auto [low, high] = b.share(total);
  b.forRange(b.idx(0), sequences, b.idx(1), {b.idx(0)},
             [&, low = low, high = high](Value number,
                                         ValueRange sum) -> SmallVector<Value> {
               RaggedSequence sequence = readSequence(stream, number);
               SequenceTasks tasks = tasksOf(stream, sequence);
               AttentionState s(all);
               s.m = sequence.rows;
               s.n = sequence.keys;
               emitSequence(stream, s, sequence, tasks, sum.front(), low, high);
               all.failed |= s.failed;
               return {b.add(sum.front(), costOf(b, tasks))};
             });
  return failure(all.failed);
}
