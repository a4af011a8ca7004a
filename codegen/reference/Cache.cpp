// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows of tokens and the key and value cache in the reference evaluator.

#include "codegen/reference/Interpreter.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

Arrays reference::evaluateTokenRows(TokenRowsOp op,
                                    const OperandArrays &operands) {
  const Array &counts = operands[op.getCounts()];
  const Array &past = operands[op.getPast()];
  int64_t rows = operands[op.getLike()].shape().back();
  std::vector<int64_t> starts, lengths, sequence, position;
  for (auto [s, count, before] :
       llvm::enumerate(counts.integers(), past.integers())) {
    starts.push_back(sequence.size());
    lengths.push_back(before + count);
    if (count < 0 || before < 0 || count > rows - starts.back())
      return op.emitOpError("expects counts and past that are not negative, "
                            "and counts that add up to ")
             << rows << ", but got " << count << " and " << before
             << " at position " << s;
    for (int64_t i = 0; i < count; ++i) {
      sequence.push_back(s);
      position.push_back(before + i);
    }
  }
  if (static_cast<int64_t>(sequence.size()) != rows)
    return op.emitOpError("expects counts that add up to ")
           << rows << ", but got " << sequence.size();
  int64_t sequences = counts.size();
  return SmallVector<Array>{Array::ofIntegers(sequences, std::move(starts)),
                            Array::ofIntegers(sequences, std::move(lengths)),
                            Array::ofIntegers(rows, std::move(sequence)),
                            Array::ofIntegers(rows, std::move(position))};
}

namespace {

/// Where the elements of one attention lie in a cache of pages.
class Entry {
public:
  Entry(Operation *op, ArrayRef<int64_t> cache, int64_t offset, int64_t heads,
        int64_t keyWidth, int64_t valueWidth)
      : op(op), pageCount(cache[0]), pageFloats(cache[1]), offset(offset),
        keyWidth(keyWidth), valueStart(heads * kPageTokens * keyWidth),
        panels(llvm::divideCeil(valueWidth, kPanelLanes)),
        floats(pageEntryFloats(heads, keyWidth, valueWidth)) {}

  LogicalResult check() const {
    if (offset >= 0 && offset <= pageFloats - floats)
      return success();
    return op->emitOpError("expects an offset in [0, ")
           << pageFloats - floats << "], but got " << offset;
  }

  /// The first float of the page that the table names for a position.
  FailureOr<int64_t> pageOf(const Array &pages, int64_t sequence,
                            int64_t position) const {
    int64_t sequences = pages.shape()[0], blocks = pages.shape()[1];
    int64_t block = position / kPageTokens;
    if (sequence < 0 || sequence >= sequences || position < 0 ||
        block >= blocks)
      return op->emitOpError("expects positions in ")
             << blocks << " pages of " << sequences << " sequences, but got "
             << position << " in sequence " << sequence;
    int64_t page = pages.integers()[sequence * blocks + block];
    if (page < 0 || page >= pageCount)
      return op->emitOpError("expects pages in [0, ")
             << pageCount << "), but got " << page << " for block " << block
             << " of sequence " << sequence;
    return page * pageFloats + offset;
  }

  int64_t key(int64_t head, int64_t position, int64_t column) const {
    int64_t row = position % kPageTokens;
    int64_t panel = head * (kPageTokens / kPanelLanes) + row / kPanelLanes;
    return (panel * keyWidth + column) * kPanelLanes + row % kPanelLanes;
  }
  int64_t value(int64_t head, int64_t position, int64_t column) const {
    int64_t panel = head * panels + column / kPanelLanes;
    return valueStart +
           (panel * kPageTokens + position % kPageTokens) * kPanelLanes +
           column % kPanelLanes;
  }
  int64_t paddedWidth() const { return panels * kPanelLanes; }

private:
  Operation *op;
  int64_t pageCount, pageFloats, offset, keyWidth;
  int64_t valueStart, panels, floats;
};

} // namespace

Arrays reference::evaluateAppend(AppendOp op, const OperandArrays &operands) {
  const Array &key = operands[op.getKey()], &value = operands[op.getValue()];
  const Array &cache = operands[op.getCache()];
  ArrayRef<int64_t> sequence = operands[op.getSequence()].integers();
  ArrayRef<int64_t> position = operands[op.getPosition()].integers();
  int64_t heads = key.shape()[1], rows = key.shape()[2];
  int64_t keyWidth = key.shape()[3], valueWidth = value.shape()[3];
  Entry entry(op, cache.shape(), indexOf(operands[op.getOffset()]), heads,
              keyWidth, valueWidth);
  if (failed(entry.check()))
    return failure();
  if (value.shape()[2] != rows ||
      static_cast<int64_t>(sequence.size()) != rows ||
      static_cast<int64_t>(position.size()) != rows)
    return op.emitOpError("expects ")
           << rows << " rows of values, sequences and positions, but got "
           << value.shape()[2] << ", " << sequence.size() << " and "
           << position.size();
  std::vector<double> floats = cache.floats().vec();
  for (int64_t t = 0; t < rows; ++t) {
    FailureOr<int64_t> page =
        entry.pageOf(operands[op.getPages()], sequence[t], position[t]);
    if (failed(page))
      return failure();
    for (int64_t g = 0; g < heads; ++g) {
      int64_t row = g * rows + t;
      for (int64_t d = 0; d < keyWidth; ++d)
        floats[*page + entry.key(g, position[t], d)] =
            key.floats()[row * keyWidth + d];
      for (int64_t e = 0; e < entry.paddedWidth(); ++e)
        floats[*page + entry.value(g, position[t], e)] =
            e < valueWidth ? value.floats()[row * valueWidth + e] : 0;
    }
  }
  return SmallVector<Array>{Array::ofFloats(cache.shape(), std::move(floats))};
}

/// Blocks whose page is none of the cache's give zeros: entries beyond what a
/// sequence uses have no meaning.
Arrays reference::evaluateReadPages(ReadPagesOp op,
                                    const OperandArrays &operands) {
  const Array &cache = operands[op.getCache()];
  const Array &pages = operands[op.getPages()];
  auto keyType = cast<RankedTensorType>(op.getKey().getType());
  auto valueType = cast<RankedTensorType>(op.getValue().getType());
  int64_t sequences = pages.shape()[0], heads = keyType.getDimSize(1);
  int64_t positions = pages.shape()[1] * kPageTokens;
  int64_t keyWidth = keyType.getDimSize(3),
          valueWidth = valueType.getDimSize(3);
  Entry entry(op, cache.shape(), indexOf(operands[op.getOffset()]), heads,
              keyWidth, valueWidth);
  SmallVector<int64_t> keyShape{sequences, heads, positions, keyWidth};
  SmallVector<int64_t> valueShape{sequences, heads, positions, valueWidth};
  FailureOr<int64_t> keyCount = countElements(op, keyShape);
  FailureOr<int64_t> valueCount = countElements(op, valueShape);
  if (failed(entry.check()) || failed(keyCount) || failed(valueCount))
    return failure();
  std::vector<double> keys(*keyCount), values(*valueCount);
  ArrayRef<double> floats = cache.floats();
  for (int64_t s = 0; s < sequences; ++s)
    for (int64_t j = 0; j < positions; ++j) {
      int64_t page = pages.integers()[s * pages.shape()[1] + j / kPageTokens];
      if (page < 0 || page >= cache.shape()[0])
        continue;
      int64_t start = *entry.pageOf(pages, s, j);
      for (int64_t g = 0; g < heads; ++g) {
        int64_t row = (s * heads + g) * positions + j;
        for (int64_t d = 0; d < keyWidth; ++d)
          keys[row * keyWidth + d] = floats[start + entry.key(g, j, d)];
        for (int64_t e = 0; e < valueWidth; ++e)
          values[row * valueWidth + e] = floats[start + entry.value(g, j, e)];
      }
    }
  return SmallVector<Array>{Array::ofFloats(keyShape, std::move(keys)),
                            Array::ofFloats(valueShape, std::move(values))};
}
