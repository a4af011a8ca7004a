// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Asks the analysis that kernels are built with about blocks whose bounds are
// constants: its verdicts then fold to constants too.

#include "codegen/cpu/attention/sparsity/KeptPairs.h"

#include "codegen/attention/KeepIntervals.h"
#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "codegen/cpu/attention/sparsity/RowBlocks.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// Positions [first, first + count).
struct Positions {
  int64_t first, count;
};

enum class Verdicts { Nothing, Skipped, Whole };

/// Code that is built only to see what it folds to.
class FoldedKeep {
public:
  FoldedKeep(AttentionOp op, ArrayRef<CaptureValues> captures)
      : op(op), captures(captures), b(op.getLoc(), op.getContext()) {
    b.setInsertionPointToEnd(&code);
    for (auto [capture, tensor] : llvm::zip_equal(captures, op.getCaptures()))
      buffers.push_back(code.addArgument(
          MemRefType::get(capture.shape,
                          getElementTypeOrSelf(tensor.getType())),
          op.getLoc()));
  }

  Verdicts judge(int64_t batch, int64_t head, Positions rows, Positions keys,
                 const AttentionSizes &sizes, Search how);
  SmallVector<Operation *> findObstacles();

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  std::optional<CaptureExtremes> search(const CaptureRange &range);
  static std::optional<int64_t> constantOf(Value value) {
    APInt constant;
    if (!matchPattern(value, m_ConstantInt(&constant)))
      return std::nullopt;
    return constant.getSExtValue();
  }
  void clear() {
    while (!code.empty())
      code.back().erase();
  }

  AttentionOp op;
  ArrayRef<CaptureValues> captures;
  Block code;
  ImplicitLocOpBuilder b;
  SmallVector<Value> buffers;
};

/// What captureExtremes finds, where all of it is known.
std::optional<CaptureExtremes> FoldedKeep::search(const CaptureRange &range) {
  const CaptureValues &capture =
      captures[llvm::find(buffers, range.buffer) - buffers.begin()];
  if (!capture.integers)
    return std::nullopt;
  int64_t base = 0, stride = 1, step = 0, first = 0, last = 0;
  for (int64_t d = int64_t(capture.shape.size()) - 1; d >= 0; --d) {
    int64_t size = capture.shape[d];
    if (range.dimension == unsigned(d)) {
      auto low = constantOf(range.low), high = constantOf(range.high);
      if (!low || !high)
        return std::nullopt;
      first = std::max<int64_t>(*low, 0);
      last = std::min(*high, size - 1);
      step = stride;
    } else {
      auto at = constantOf(range.indices[d]);
      if (!at || *at < 0 || *at >= size)
        return std::nullopt;
      base += *at * stride;
    }
    stride *= size;
  }
  int64_t least = INT64_MAX, most = INT64_MIN;
  for (int64_t i = first; i <= last; ++i) {
    int64_t x = (*capture.integers)[base + i * step];
    least = std::min(least, x);
    most = std::max(most, x);
  }
  if (first > last)
    return std::nullopt;
  return CaptureExtremes{index(least), index(most), {}};
}

Verdicts FoldedKeep::judge(int64_t batch, int64_t head, Positions rows,
                           Positions keys, const AttentionSizes &sizes,
                           Search how) {
  KeepTile tile{index(batch),
                index(head),
                index(rows.first),
                index(rows.first + rows.count - 1),
                index(keys.first),
                index(keys.first + keys.count - 1),
                index(sizes.queries),
                index(sizes.keys),
                buffers};
  auto find = [&](const CaptureRange &range) { return search(range); };
  Verdict verdict =
      keepVerdict(b, op.getKeep(), tile, {find, how == Search::ElementsOnly});
  Verdicts result = constantOf(verdict.none).value_or(0)  ? Verdicts::Skipped
                    : constantOf(verdict.all).value_or(0) ? Verdicts::Whole
                                                          : Verdicts::Nothing;
  clear();
  return result;
}

SmallVector<Operation *> FoldedKeep::findObstacles() {
  SmallVector<Value> some;
  for (int i = 0; i < 8; ++i)
    some.push_back(code.addArgument(b.getIndexType(), op.getLoc()));
  KeepTile tile{some[0], some[1], some[2], some[3], some[4],
                some[5], some[6], some[7], buffers};
  auto find = [&](const CaptureRange &) {
    return CaptureExtremes{some[0], some[1], {}};
  };
  SmallVector<Operation *> found =
      keepObstacles(b, op.getKeep(), tile, {find, false});
  clear();
  return found;
}

/// Counts as the kernel goes: rows in blocks, keys in chunks, chunks in blocks.
class Counter {
public:
  Counter(AttentionOp op, const AttentionSizes &sizes,
          ArrayRef<CaptureValues> captures, const TargetSpec &target)
      : sizes(sizes), target(target), keep(op, captures) {}

  void countHead(int64_t batch, int64_t head, double times) {
    if (sizes.keys == 0)
      return;
    int64_t blocks =
        llvm::divideCeil(sizes.queries, int64_t(target.attentionRows));
    int64_t steps = llvm::divideCeil(sizes.queries, int64_t(kRowStep));
    auto firstRow = [&](int64_t block) {
      return std::min(steps * block / blocks * kRowStep, sizes.queries);
    };
    for (int64_t block = 0; block < blocks; ++block) {
      Positions all{firstRow(block), firstRow(block + 1) - firstRow(block)};
      Positions rows = keptRows(batch, head, all);
      total.skipped += times * (all.count - rows.count) * sizes.keys;
      if (rows.count == 0)
        continue;
      for (int64_t key = 0; key < sizes.keys; key += kChunkKeys)
        countChunk(batch, head, rows,
                   {key, std::min(sizes.keys - key, kChunkKeys)}, times);
    }
  }
  const PairCounts &counts() const { return total; }

private:
  /// Without the groups of rows before and after that keep nothing.
  Positions keptRows(int64_t batch, int64_t head, Positions rows) {
    int64_t first = rows.count, end = 0;
    for (int64_t at = 0; at < rows.count; at += kRowGroup) {
      Positions group{rows.first + at, std::min(rows.count - at, kRowGroup)};
      if (keep.judge(batch, head, group, {0, sizes.keys}, sizes,
                     Search::ElementsOnly) == Verdicts::Skipped)
        continue;
      first = std::min(first, at);
      end = at + group.count;
    }
    first = std::min(first, end);
    return {rows.first + first, end - first};
  }
  void countChunk(int64_t batch, int64_t head, Positions rows, Positions keys,
                  double times) {
    // What holds for a chunk holds for its blocks.
    if (note(keep.judge(batch, head, rows, keys, sizes, Search::Ranges), rows,
             keys, times))
      return;
    for (int64_t column = 0; column < keys.count; column += kBlockKeys) {
      Positions block{keys.first + column,
                      std::min(keys.count - column, kBlockKeys)};
      if (!note(keep.judge(batch, head, rows, block, sizes, Search::Ranges),
                rows, block, times))
        total.asked += times * rows.count * block.count;
    }
  }
  bool note(Verdicts verdict, Positions rows, Positions keys, double times) {
    if (verdict == Verdicts::Nothing)
      return false;
    (verdict == Verdicts::Skipped ? total.skipped : total.whole) +=
        times * rows.count * keys.count;
    return true;
  }

  AttentionSizes sizes;
  const TargetSpec &target;
  FoldedKeep keep;
  PairCounts total;
};

} // namespace

PairCounts attn::cpu::countPairs(AttentionOp op, const AttentionSizes &sizes,
                                 ArrayRef<CaptureValues> captures,
                                 const TargetSpec &target) {
  PairCounts counts;
  double all = double(sizes.batches) * sizes.heads * sizes.queries * sizes.keys;
  if (op.getKeep().empty()) {
    counts.whole = all;
    return counts;
  }
  unsigned first = 2 * op.getQueries().size();
  bool asksBatch = !op.getKeep().getArgument(first).use_empty();
  bool asksHead = !op.getKeep().getArgument(first + 1).use_empty();
  Counter counter(op, sizes, captures, target);
  int64_t batches =
      asksBatch ? sizes.batches : std::min<int64_t>(sizes.batches, 1);
  int64_t heads = asksHead ? sizes.heads : std::min<int64_t>(sizes.heads, 1);
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t head = 0; head < heads; ++head)
      counter.countHead(batch, head,
                        double(sizes.batches) / batches * sizes.heads / heads);
  return counter.counts();
}

SmallVector<Operation *> attn::cpu::findKeepObstacles(AttentionOp op) {
  if (op.getKeep().empty())
    return {};
  SmallVector<CaptureValues> captures;
  for (Value capture : op.getCaptures())
    captures.push_back(
        {SmallVector<int64_t>(
             cast<RankedTensorType>(capture.getType()).getShape()),
         std::nullopt});
  return FoldedKeep(op, captures).findObstacles();
}
