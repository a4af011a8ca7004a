// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parts of keys and what they give.

#include "codegen/cpu/cache/SplitKeys.h"

#include "codegen/cpu/attention/SidedValues.h"
#include "codegen/cpu/attention/Softmax.h"
#include "codegen/cpu/cache/ChunkTotals.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Heads for each slot that keep all slots busy.
static constexpr int64_t kHeadsOfSlot = 4;

static int64_t sumBytes(int64_t valueWidth) {
  return kFewRows * (valueWidth + 2 * kPanelWidth) * int64_t(sizeof(float));
}

SplitKeys::SplitKeys(const Stream &stream, const HeadsOfCall &heads)
    : stream(stream), b(stream.b) {
  Value slots = b.slots();
  // A ring of pages has less room than its sequence had keys; so has scratch.
  Value room = stream.attention().positions(b);
  isSplit = b.less(b.idx(1), slots);
  for (Value condition : {b.less(heads.count, b.mul(slots, kHeadsOfSlot)),
                          b.less(b.idx(kChunkKeys), heads.longest),
                          b.less(heads.longest, b.add(room, 1)),
                          b.less(heads.rows, b.idx(kFewRows + 1))})
    isSplit = arith::AndIOp::create(b, isSplit, condition);
}

Value SplitKeys::partsOf(Value keys) const {
  Value chunks = b.max(b.ceilDiv(keys, kChunkKeys), b.idx(1));
  return b.select(isSplit, chunks, b.idx(1));
}

Value SplitKeys::scratchBytes(TileBuilder &b, const AttentionForm &form,
                              Value heads) {
  // A slot's share of the chunks of less than kHeadsOfSlot heads for each slot.
  Value chunks = b.ceilDiv(form.positions(b), kChunkKeys), slots = b.slots();
  Value share = b.add(b.div(b.mul(heads, chunks), slots), 1); // no less
  share = b.min(share, b.mul(chunks, kHeadsOfSlot));
  Value isWhole = arith::OrIOp::create(b, b.less(chunks, b.idx(2)),
                                       b.less(slots, b.idx(2)));
  int64_t width = llvm::alignTo(form.valueWidth, kPanelWidth);
  return b.select(isWhole, b.idx(0), b.mul(share, sumBytes(width)));
}

/// What task `number` of its own left in the scratch of b.slot().
AttentionState SplitKeys::sumsOf(const AttentionState &s, Value number) const {
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

void SplitKeys::emitPart(AttentionState &s, const HeadRows &rows, Value part,
                         Value number) const {
  AttentionState total = withTotals(s);
  computeRows(s, rows);
  // A sink counts once, not in every part.
  clearRows(total, rows);
  if (s.form.sink)
    b.ifElse(isSplit, [] {}, [&] { startRows(total, rows); });
  Value first = b.mul(part, kChunkKeys);
  Value chunk = b.min(b.sub(s.n, first), b.idx(kChunkKeys));
  stream.addKeys(s, total, rows, {first, b.select(isSplit, chunk, s.n)});
  b.ifElse(
      isSplit,
      [&] {
        AttentionState sums = sumsOf(s, number);
        copySums(total, sums, rows);
      },
      [&] { stream.finishRows(total, rows); });
}

void SplitKeys::addParts(AttentionState &s, const HeadRows &rows, Value first,
                         Value count) const {
  AttentionState total = withTotals(s);
  startRows(total, rows);
  Value slots = b.slots(), tasks = b.max(count, b.idx(1));
  b.forRange(partsOf(s.n), [&](Value part) {
    // The slot whose share [count slot / slots, count (slot + 1) / slots) it is
    // in.
    Value task = b.add(first, part);
    Value end = b.mul(b.add(task, 1), slots);
    Value owner = b.div(b.sub(end, b.idx(1)), tasks);
    b.setSlot(owner);
    Value before = b.div(b.mul(count, owner), slots);
    AttentionState sums = sumsOf(s, b.sub(task, before));
    addChunk(sums, total, rows);
  });
  stream.finishRows(total, rows);
}
