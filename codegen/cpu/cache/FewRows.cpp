// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is all rows of a key head of a batch; or a chunk of their keys, where
// there are too few heads to keep all slots busy. Chunks are added up in the
// same order either way, so that no bit tells (Flash-Decoding: Dao et al.
// 2023).

#include "codegen/cpu/cache/FewRows.h"

#include "codegen/cpu/attention/SidedValues.h"
#include "codegen/cpu/attention/Softmax.h"
#include "codegen/cpu/cache/ChunkTotals.h"
#include "codegen/cpu/cache/StreamedRows.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// More rows pay for packing a head's keys; fewer heights of tiles are less
/// code beside that of many rows.
static constexpr int64_t kFewRows = 8;
static constexpr int kTallest = 4;
/// Heads for each slot that keep all slots busy.
static constexpr int64_t kHeadsOfSlot = 4;

Rows attn::cpu::expectedRows(const AttentionForm &form) {
  if (form.needsWeights())
    return Rows::Many;
  auto query = cast<MemRefType>(form.queries.front().getType());
  if (query.isDynamicDim(2))
    return Rows::Any;
  int64_t rows = query.getDimSize(2) * headsTogether(form);
  return rows <= kFewRows ? Rows::Few : Rows::Many;
}

Value attn::cpu::hasFewRows(TileBuilder &b, const AttentionForm &form) {
  Value rows = b.mul(b.dim(form.queries.front(), 2), headsTogether(form));
  return b.less(rows, b.idx(kFewRows + 1));
}

namespace {

/// The tasks of all slots.
class FewRowsTasks {
public:
  FewRowsTasks(const Stream &stream, const AttentionState &s);

  Value heads, parts; ///< a task is a part of the keys of a head
  Value isSplit;      ///< parts are chunks; else there is one, of all keys
  Value count() const { return b.mul(heads, parts); }
  HeadRows rowsOf(Value head) const;
  Keys keysOf(Value part) const;
  /// What task `number` of a slot's own left in the scratch of b.slot().
  AttentionState sumsOf(const AttentionState &s, Value number) const;

  static Value scratchBytes(TileBuilder &b, const AttentionForm &form);

private:
  static int64_t sumBytes(int64_t valueWidth) {
    return kFewRows * (valueWidth + 2 * kPanelWidth) * sizeof(float);
  }

  const Stream &stream;
  TileBuilder &b;
  Value m, n, headsOfBatch;
};

} // namespace

FewRowsTasks::FewRowsTasks(const Stream &stream, const AttentionState &s)
    : stream(stream), b(stream.b), m(s.m), n(s.n) {
  Value query = s.form.queries.front();
  headsOfBatch = b.div(b.dim(query, 1), stream.together);
  heads = b.mul(b.dim(query, 0), headsOfBatch);
  Value slots = b.slots();
  Value areFew = b.less(heads, b.mul(slots, kHeadsOfSlot));
  Value areLong = b.less(b.idx(kChunkKeys), n);
  Value areSeveral = b.less(b.idx(1), slots);
  isSplit = arith::AndIOp::create(b, arith::AndIOp::create(b, areFew, areLong),
                                  areSeveral);
  parts = b.select(isSplit, b.ceilDiv(n, kChunkKeys), b.idx(1));
}

HeadRows FewRowsTasks::rowsOf(Value head) const {
  Value divisor = b.max(headsOfBatch, b.idx(1)); // no heads: no tasks
  return stream.rowsOf(b.div(head, divisor), b.rem(head, divisor), b.idx(0),
                       b.mul(m, stream.together), {});
}

Keys FewRowsTasks::keysOf(Value part) const {
  Value first = b.mul(part, kChunkKeys);
  Value count = b.min(b.sub(n, first), b.idx(kChunkKeys));
  return {first, b.select(isSplit, count, n)};
}

Value FewRowsTasks::scratchBytes(TileBuilder &b, const AttentionForm &form) {
  // A slot's share of the chunks of less than kHeadsOfSlot heads for each slot.
  Value chunks = b.ceilDiv(form.positions(b), kChunkKeys);
  Value isOne = b.less(chunks, b.idx(2));
  int64_t width =
      (form.valueWidth + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
  return b.select(isOne, b.idx(0),
                  b.mul(chunks, kHeadsOfSlot * sumBytes(width)));
}

AttentionState FewRowsTasks::sumsOf(const AttentionState &s,
                                    Value number) const {
  AttentionState sums(s);
  int64_t width = s.layout.valueWidth;
  Value at = b.add(streamScratch(b, s.form), b.mul(number, sumBytes(width)));
  auto take = [&](ArrayRef<int64_t> shape) {
    MemRefType type = MemRefType::get(shape, b.getF32Type());
    Value memory = b.scratch(at, type);
    at = b.add(at, b.idx(type.getNumElements() * int64_t(sizeof(float))));
    return memory;
  };
  sums.scratch.outputs = take({kFewRows, width});
  sums.scratch.sums = take({kFewRows, kPanelWidth});
  sums.scratch.references = take({kFewRows});
  return sums;
}

Value attn::cpu::fewRowsScratch(TileBuilder &b, const AttentionForm &form) {
  return b.add(streamScratch(b, form), FewRowsTasks::scratchBytes(b, form));
}

LogicalResult attn::cpu::emitFewRows(TileBuilder &b,
                                     const AttentionForm &form) {
  Stream stream(b, form, std::min(kTallest, b.target.attention.rows));
  AttentionState s = stream.state();
  FewRowsTasks tasks(stream, s);
  auto [first, last] = b.share(tasks.count());
  b.forRange(first, last, b.idx(1), [&, first = first](Value task) {
    HeadRows rows = tasks.rowsOf(b.div(task, tasks.parts));
    AttentionState total = withTotals(s);
    computeRows(s, rows);
    // A sink counts once, not in every part.
    clearRows(total, rows);
    if (form.sink)
      b.ifElse(tasks.isSplit, [] {}, [&] { startRows(total, rows); });
    stream.addKeys(s, total, rows, tasks.keysOf(b.rem(task, tasks.parts)));
    b.ifElse(
        tasks.isSplit,
        [&] {
          AttentionState sums = tasks.sumsOf(s, b.sub(task, first));
          copySums(total, sums, rows);
        },
        [&] { stream.finishRows(total, rows); });
  });
  return failure(s.failed);
}

/// Adds what all parts of a head's keys gave to `total`.
static void addParts(const FewRowsTasks &tasks, const AttentionState &s,
                     AttentionState &total, const HeadRows &rows, Value head) {
  TileBuilder &b = total.b;
  Value count = tasks.count(), slots = b.slots();
  b.forRange(tasks.parts, [&](Value part) {
    // The slot s whose share [count s / slots, count (s + 1) / slots) has it.
    Value task = b.add(b.mul(head, tasks.parts), part);
    Value owner = b.sub(b.mul(b.add(task, 1), slots), b.idx(1));
    owner = b.div(owner, b.max(count, b.idx(1)));
    Value first = b.div(b.mul(count, owner), slots);
    b.setSlot(owner);
    AttentionState sums = tasks.sumsOf(s, b.sub(task, first));
    addChunk(sums, total, rows);
  });
}

LogicalResult attn::cpu::finishFewRows(TileBuilder &b,
                                       const AttentionForm &form) {
  Value any = b.idx(0);
  b.setSlot(any);
  Stream stream(b, form, std::min(kTallest, b.target.attention.rows));
  AttentionState s = stream.state();
  FewRowsTasks tasks(stream, s);
  b.ifThen(tasks.isSplit, [&] {
    b.forRange(tasks.heads, [&](Value head) {
      HeadRows rows = tasks.rowsOf(head);
      AttentionState total = withTotals(s);
      startRows(total, rows);
      addParts(tasks, s, total, rows, head);
      stream.finishRows(total, rows);
    });
  });
  return failure(s.failed);
}
