// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Splits rows into blocks, and blocks between slots.
//
// A block's work is estimated as the kernel will judge it, but on a grid of a
// fixed size, so that long sequences do not pay more for it. Every slot
// computes the whole sum: no slot waits for another.

#include "codegen/cpu/attention/sparsity/RowBlocks.h"

#include "codegen/cpu/attention/sparsity/KeyRuns.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Steps of rows, and of keys, that the work of a head is estimated in.
static constexpr int64_t kMostSteps = 32;
/// What a block costs beside its keys, in keys: rows are read and written.
static constexpr int64_t kBlockCost = 8;

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

RowBlocks::RowBlocks(AttentionState &s)
    : count(s.b.ceilDiv(s.m, s.b.target.attentionRows)), b(s.b), m(s.m),
      divisor(s.b.max(count, s.b.idx(1))) {}

Value RowBlocks::firstRow(Value block) const {
  Value steps = b.ceilDiv(m, kRowStep);
  return b.min(b.mul(b.div(b.mul(steps, block), divisor), kRowStep), m);
}

HeadRows RowBlocks::rowsOf(const HeadRows &head, Value first, Value end) const {
  HeadRows rows = head;
  rows.first = firstRow(first);
  rows.count = b.sub(firstRow(end), rows.first);
  return rows;
}

HeadRows attn::cpu::keptRows(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  auto group = [&](Value at, ValueRange so_far) -> SmallVector<Value> {
    HeadRows some = rows;
    some.first = b.add(rows.first, at);
    some.count = b.min(b.sub(rows.count, at), b.idx(kRowGroup));
    Value none = judge(s, some, {b.idx(0), s.n}, Search::ElementsOnly).none;
    return {b.select(none, so_far[0], b.min(so_far[0], at)),
            b.select(none, so_far[1], b.add(at, some.count))};
  };
  SmallVector<Value> range = b.forRange(b.idx(0), rows.count, b.idx(kRowGroup),
                                        {rows.count, b.idx(0)}, group);
  Value first = b.min(range[0], range[1]);
  HeadRows kept = rows;
  kept.first = b.add(rows.first, first);
  kept.count = b.sub(range[1], first);
  return kept;
}

//===----------------------------------------------------------------------===//
// Shares
//===----------------------------------------------------------------------===//

namespace {

/// Work in pairs of a block and a key, doubled: a key that keep is asked for
/// counts half, as on the edge of a mask.
class Work {
public:
  /// Heads of a batch are equal where keep does not ask for the head, and are
  /// one group where their mean weights are a result.
  Work(AttentionState &s, const RowBlocks &blocks, Value groups);

  Value total() const;
  /// How many blocks begin before each of these amounts of work.
  SmallVector<Value> blocksBefore(ArrayRef<Value> amounts) const;

private:
  struct Step {
    Value blocks; ///< how many
    Value each;   ///< the work of one of them
  };
  Step stepOf(Value unit, Value step) const;
  Value ofUnit(Value unit) const;
  /// Blocks of one group of a unit that begin before each of these amounts.
  SmallVector<Value> blocksBefore(Value unit, ArrayRef<Value> amounts) const;

  AttentionState &s;
  TileBuilder &b;
  const RowBlocks &blocks;
  /// Units of `together` groups of equal work.
  Value units, together;
  bool isOfHead; ///< a unit is a head, else a batch
  Value blocksOfStep, rowSteps, keysOfStep;
};

} // namespace

Work::Work(AttentionState &s, const RowBlocks &blocks, Value groups)
    : s(s), b(s.b), blocks(blocks),
      isOfHead(s.form.keepReadsHead() && !s.form.returnsMean()) {
  Value batches = b.dim(s.form.queries.front(), 0);
  Value heads = b.dim(s.form.queries.front(), 1);
  // One slot has it all.
  Value isAlone = b.equal(b.slots(), b.idx(1));
  units = b.select(isAlone, b.idx(0), isOfHead ? groups : batches);
  together = isOfHead || s.form.returnsMean() ? b.idx(1) : heads;
  blocksOfStep = b.max(b.ceilDiv(blocks.count, kMostSteps), b.idx(1));
  rowSteps = b.ceilDiv(blocks.count, blocksOfStep);
  Value keyBlocks = b.ceilDiv(s.n, kBlockKeys);
  keysOfStep =
      b.mul(b.max(b.ceilDiv(keyBlocks, kMostSteps), b.idx(1)), kBlockKeys);
}

Work::Step Work::stepOf(Value unit, Value step) const {
  Value first = b.mul(step, blocksOfStep);
  Value end = b.min(b.add(first, blocksOfStep), blocks.count);
  Value heads = b.dim(s.form.queries.front(), 1);
  HeadRows head;
  head.batch = isOfHead ? b.div(unit, heads) : unit;
  head.head = isOfHead ? b.rem(unit, heads) : b.idx(0);
  HeadRows rows = blocks.rowsOf(head, first, end);
  auto addKeys = [&](Value key, ValueRange so_far) -> SmallVector<Value> {
    Value count = b.min(b.sub(s.n, key), keysOfStep);
    Verdict verdict = judge(s, rows, {key, count}, Search::Ranges);
    Value kept = b.select(verdict.all, b.mul(count, 2), count);
    return {b.add(so_far[0], b.select(verdict.none, b.idx(0), kept))};
  };
  Value each = b.forRange(b.idx(0), s.n, keysOfStep, {b.idx(2 * kBlockCost)},
                          addKeys)[0];
  return {b.sub(end, first), each};
}

Value Work::ofUnit(Value unit) const {
  return b.forRange(b.idx(0), rowSteps, b.idx(1), {b.idx(0)},
                    [&](Value at, ValueRange sum) -> SmallVector<Value> {
                      Step step = stepOf(unit, at);
                      return {b.add(sum[0], b.mul(step.blocks, step.each))};
                    })[0];
}

Value Work::total() const {
  return b.forRange(b.idx(0), units, b.idx(1), {b.idx(0)},
                    [&](Value unit, ValueRange sum) -> SmallVector<Value> {
                      return {b.add(sum[0], b.mul(ofUnit(unit), together))};
                    })[0];
}

SmallVector<Value> Work::blocksBefore(Value unit,
                                      ArrayRef<Value> amounts) const {
  Value most = b.idx(0);
  for (Value amount : amounts)
    most = b.max(most, amount);
  Value steps = b.select(b.less(b.idx(0), most), rowSteps, b.idx(0));
  SmallVector<Value> inits(amounts.size() + 1, b.idx(0));
  SmallVector<Value> found = b.forRange(
      b.idx(0), steps, b.idx(1), inits,
      [&](Value at, ValueRange so_far) -> SmallVector<Value> {
        Step step = stepOf(unit, at);
        Value sum = so_far[0];
        SmallVector<Value> next{b.add(sum, b.mul(step.blocks, step.each))};
        for (auto [amount, before] : llvm::zip(amounts, so_far.drop_front())) {
          Value left = b.sub(b.max(amount, sum), sum);
          Value fit = b.min(b.ceilDiv(left, step.each), step.blocks);
          next.push_back(b.add(before, fit));
        }
        return next;
      });
  found.erase(found.begin());
  return found;
}

SmallVector<Value> Work::blocksBefore(ArrayRef<Value> amounts) const {
  SmallVector<Value> inits(amounts.size() + 1, b.idx(0));
  SmallVector<Value> found = b.forRange(
      b.idx(0), units, b.idx(1), inits,
      [&](Value unit, ValueRange so_far) -> SmallVector<Value> {
        Value each = ofUnit(unit), all = b.mul(each, together);
        SmallVector<Value> whole, rests, next{b.add(so_far[0], all)};
        for (Value amount : amounts) {
          Value own = b.min(b.sub(b.max(amount, so_far[0]), so_far[0]), all);
          whole.push_back(b.div(own, b.max(each, b.idx(1))));
          rests.push_back(b.sub(own, b.mul(whole.back(), each)));
        }
        SmallVector<Value> parts = blocksBefore(unit, rests);
        for (auto [before, groups, part] :
             llvm::zip(so_far.drop_front(), whole, parts))
          next.push_back(
              b.add(before, b.add(b.mul(groups, blocks.count), part)));
        return next;
      });
  found.erase(found.begin());
  return found;
}

std::pair<Value, Value> attn::cpu::shareOfBlocks(AttentionState &s,
                                                 const RowBlocks &blocks,
                                                 Value groups) {
  TileBuilder &b = s.b;
  Value all = b.mul(groups, blocks.count);
  if (!s.form.keep)
    return b.share(all);
  Work work(s, blocks, groups);
  auto [low, high] = b.share(work.total());
  SmallVector<Value> range = work.blocksBefore({low, high});
  Value isAlone = b.equal(b.slots(), b.idx(1));
  return {range[0], b.select(isAlone, all, range[1])};
}
