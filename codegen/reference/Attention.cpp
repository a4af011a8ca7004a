// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.attention in the reference evaluator: the whole syntax, one row of one
// head at a time, all keys of the row as lanes.

#include "codegen/reference/Interpreter.h"
#include "codegen/reference/Products.h"

#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

namespace {

class Attention {
public:
  Attention(AttentionOp op, const OperandArrays &operands,
            Interpreter &interpreter)
      : op(op), operands(operands), interpreter(interpreter) {}

  LogicalResult prepare();
  LogicalResult run();
  SmallVector<Array> results() &&;

private:
  /// Which row: batch, head, query.
  struct Row {
    int64_t b, h, i;
  };
  /// A row's normalised weights of the kept keys.
  struct Weights {
    std::vector<double> values;
    double logSumExp = -INFINITY;
  };

  /// The queries of one batch, or of one sequence: rows of the query tensor.
  struct Rows {
    int64_t first, count, keys;
  };

  LogicalResult checkShapes();
  FailureOr<SmallVector<Rows>> findRows();
  /// The row's number among those of its head's query tensor and output.
  int64_t numberOf(Row row) {
    int64_t batch = op.isRagged() ? 0 : row.b;
    int64_t first = op.isRagged() ? rows[row.b].first : 0;
    return (batch * heads + row.h) * queries + first + row.i;
  }
  LogicalResult runRow(Row row);
  SmallVector<LaneArray> arguments(Region &region, Row row,
                                   ArrayRef<int64_t> keys);
  FailureOr<LaneArray> runScalar(Region &region, Row row,
                                 ArrayRef<int64_t> keys,
                                 const Array *last = nullptr);
  FailureOr<std::vector<int64_t>> keptKeys(Row row);
  Weights normalize(Row row, std::vector<double> scores);
  void write(Row row, ArrayRef<int64_t> keys, ArrayRef<double> weights,
             double logSumExp);

  AttentionOp op;
  const OperandArrays &operands;
  Interpreter &interpreter;
  int64_t batches = 0, heads = 0, groups = 0; // B, H, G
  int64_t queries = 0, keyCount = 0;          // M, N
  int64_t width = 0;                          // E
  SmallVector<Rows> rows;                     // one for each batch of keys
  std::vector<int64_t> allKeys;
  std::vector<double> output, map, logSumExp;
};

} // namespace

static SmallVector<int64_t> replaceLast(ArrayRef<int64_t> shape, int64_t size) {
  SmallVector<int64_t> result(shape);
  result.back() = size;
  return result;
}

LogicalResult Attention::checkShapes() {
  ArrayRef<int64_t> valueShape = operands[op.getValue()].shape();
  for (auto [query, key] : llvm::zip_equal(op.getQueries(), op.getKeys())) {
    ArrayRef<int64_t> q = operands[query].shape(), k = operands[key].shape();
    SmallVector<int64_t> expectedQuery{batches, heads, queries, q.back()};
    SmallVector<int64_t> expectedKey = replaceLast(valueShape, q.back());
    if (q != ArrayRef<int64_t>(expectedQuery) ||
        k != ArrayRef<int64_t>(expectedKey))
      return op.emitOpError("expects queries ")
             << formatShape(expectedQuery) << " and keys "
             << formatShape(expectedKey) << ", but got " << formatShape(q)
             << " and " << formatShape(k);
  }
  if ((!op.isRagged() && valueShape[0] != batches) || groups == 0 ||
      heads % groups != 0)
    return op.emitOpError("expects a value of ")
           << batches << " batches and a number of heads that divides " << heads
           << ", but got " << formatShape(valueShape);
  if (op.getSink() && operands[op.getSink()].size() != heads)
    return op.emitOpError("expects a sink for each of ")
           << heads << " heads, but got " << operands[op.getSink()].size();
  return success();
}

LogicalResult Attention::prepare() {
  ArrayRef<int64_t> queryShape = operands[op.getQueries().front()].shape();
  ArrayRef<int64_t> valueShape = operands[op.getValue()].shape();
  batches = queryShape[0], heads = queryShape[1], queries = queryShape[2];
  groups = valueShape[1], keyCount = valueShape[2], width = valueShape[3];
  if (failed(checkShapes()))
    return failure();

  FailureOr<int64_t> size = countElements(op, {batches, heads, queries, width});
  if (failed(size))
    return failure();
  output.assign(*size, 0);
  if (op.getWeights()) {
    bool mean = op.getWeights().getType().getRank() == 3;
    size = countElements(op, {batches, mean ? 1 : heads, queries, keyCount});
    if (failed(size))
      return failure();
    map.assign(*size, 0);
  }
  if (op.getLogsumexp())
    logSumExp.assign(batches * heads * queries, 0);
  for (int64_t j = 0; j < keyCount; ++j)
    allKeys.push_back(j);
  FailureOr<SmallVector<Rows>> found = findRows();
  if (failed(found))
    return failure();
  rows = std::move(*found);
  return success();
}

FailureOr<SmallVector<Attention::Rows>> Attention::findRows() {
  if (!op.isRagged())
    return SmallVector<Rows>(batches, Rows{0, queries, keyCount});
  ArrayRef<int64_t> starts = operands[op.getStarts()].integers();
  ArrayRef<int64_t> lengths = operands[op.getLengths()].integers();
  SmallVector<Rows> found;
  for (auto [s, first] : llvm::enumerate(starts)) {
    int64_t end = s + 1 < starts.size() ? starts[s + 1] : queries;
    if (first < 0 || first > end || end > queries || lengths[s] < 0 ||
        lengths[s] > keyCount)
      return op.emitOpError("expects sequence ")
             << s << " to have rows within " << queries << " and at most "
             << keyCount << " keys, but got rows " << first << " to " << end
             << " and " << lengths[s] << " keys";
    found.push_back({first, end - first, lengths[s]});
  }
  return found;
}

LogicalResult Attention::run() {
  for (int64_t b = 0; b < static_cast<int64_t>(rows.size()); ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < rows[b].count; ++i)
        if (failed(runRow({b, h, i})))
          return failure();
  return success();
}

/// The arguments of a region for one row and some of its keys, in the order of
/// the operation's contract. Those that the region does not use stay empty.
SmallVector<LaneArray> Attention::arguments(Region &region, Row row,
                                            ArrayRef<int64_t> keys) {
  SmallVector<LaneArray> result;
  auto isUsed = [&] { return !region.getArgument(result.size()).use_empty(); };
  for (auto [queryValue, keyValue] :
       llvm::zip_equal(op.getQueries(), op.getKeys())) {
    const Array &query = operands[queryValue], &key = operands[keyValue];
    int64_t depth = query.shape().back();
    int64_t first = numberOf(row) * depth;
    result.emplace_back(
        Array::ofFloats(depth, query.floats().slice(first, depth).vec()));
    if (!isUsed()) {
      result.emplace_back();
      continue;
    }
    int64_t head = row.b * groups + row.h / (heads / groups);
    std::vector<double> vectors;
    vectors.reserve(keys.size() * depth);
    for (int64_t j : keys)
      llvm::append_range(
          vectors, key.floats().slice((head * keyCount + j) * depth, depth));
    result.emplace_back(
        Array::ofFloats({int64_t(keys.size()), depth}, std::move(vectors)),
        /*perLane=*/true);
  }
  for (int64_t index : {row.b, row.h, row.i})
    result.emplace_back(Array::ofIntegers({}, {index}));
  result.emplace_back(Array::ofIntegers(int64_t(keys.size()), keys.vec()),
                      /*perLane=*/true);
  for (int64_t size : {rows[row.b].count, rows[row.b].keys})
    result.emplace_back(Array::ofIntegers({}, {size}));
  for (Value capture : op.getCaptures())
    result.emplace_back(operands[capture]);
  return result;
}

/// What a region yields for some keys of a row; `last` is its last argument.
FailureOr<LaneArray> Attention::runScalar(Region &region, Row row,
                                          ArrayRef<int64_t> keys,
                                          const Array *last) {
  SmallVector<LaneArray> values = arguments(region, row, keys);
  if (last)
    values.emplace_back(*last, /*perLane=*/true);
  LaneArrays results = interpreter.runLanes(region, values, keys.size());
  if (failed(results))
    return failure();
  return spreadLanes(results->front(), keys.size());
}

FailureOr<std::vector<int64_t>> Attention::keptKeys(Row row) {
  ArrayRef<int64_t> present = ArrayRef(allKeys).take_front(rows[row.b].keys);
  if (op.getKeep().empty() || present.empty())
    return present.vec();
  FailureOr<LaneArray> keep = runScalar(op.getKeep(), row, present);
  if (failed(keep))
    return failure();
  std::vector<int64_t> kept;
  for (auto [j, isKept] : llvm::enumerate(keep->array.integers()))
    if (isKept)
      kept.push_back(j);
  return kept;
}

/// Scores of the kept keys to weights. A row whose scores are all -inf keeps
/// nothing.
Attention::Weights Attention::normalize(Row row, std::vector<double> scores) {
  Weights weights{std::move(scores)};
  if (op.getNormalizer() == Normalizer::Sum)
    return weights;
  if (op.getNormalizer() == Normalizer::Sigmoid) {
    for (double &x : weights.values)
      x = 1 / (1 + std::exp(-x));
    return weights;
  }
  double largest = -INFINITY, sum = 0;
  bool allMasked = true;
  for (double x : weights.values) {
    largest = std::fmax(largest, x);
    allMasked &= x == -INFINITY;
  }
  if (op.getSink()) {
    double sink = operands[op.getSink()].floats()[row.h];
    largest = std::fmax(largest, sink);
    sum = sink == -INFINITY ? 0 : std::exp(sink - largest);
  }
  for (double &x : weights.values)
    sum += x = allMasked ? 0 : std::exp(x - largest);
  if (sum != 0) {
    for (double &x : weights.values)
      x /= sum;
    weights.logSumExp = largest + std::log(sum);
  }
  return weights;
}

LogicalResult Attention::runRow(Row row) {
  FailureOr<std::vector<int64_t>> keys = keptKeys(row);
  if (failed(keys))
    return failure();
  std::vector<double> scores;
  if (!keys->empty()) {
    FailureOr<LaneArray> score = runScalar(op.getScore(), row, *keys);
    if (failed(score))
      return failure();
    scores = score->array.floats().vec();
  }
  Weights weights = normalize(row, std::move(scores));
  if (!op.getWeight().empty() && !keys->empty()) {
    Array normalized = Array::ofFloats(int64_t(keys->size()), weights.values);
    FailureOr<LaneArray> factored =
        runScalar(op.getWeight(), row, *keys, &normalized);
    if (failed(factored))
      return failure();
    weights.values = factored->array.floats().vec();
  }
  write(row, *keys, weights.values, weights.logSumExp);
  return success();
}

void Attention::write(Row row, ArrayRef<int64_t> keys, ArrayRef<double> weights,
                      double rowLogSumExp) {
  int64_t number = numberOf(row);
  int64_t head = row.b * groups + row.h / (heads / groups);
  const double *value = operands[op.getValue()].floats().data();
  for (auto [j, weight] : llvm::zip_equal(keys, weights))
    addScaled(weight, value + (head * keyCount + j) * width,
              output.data() + number * width, width);
  if (op.getLogsumexp())
    logSumExp[number] = rowLogSumExp;
  if (!op.getWeights())
    return;
  bool mean = op.getWeights().getType().getRank() == 3;
  double *mapRow =
      map.data() + (mean ? row.b * queries + row.i : number) * keyCount;
  for (auto [j, weight] : llvm::zip_equal(keys, weights))
    mapRow[j] += mean ? weight / heads : weight;
}

SmallVector<Array> Attention::results() && {
  SmallVector<int64_t> shape{batches, heads, queries, width};
  SmallVector<Array> arrays{Array::ofFloats(shape, std::move(output))};
  if (op.getWeights()) {
    bool mean = op.getWeights().getType().getRank() == 3;
    shape = {batches, heads, queries, keyCount};
    if (mean)
      shape.erase(shape.begin() + 1);
    arrays.push_back(Array::ofFloats(shape, std::move(map)));
  }
  if (op.getLogsumexp())
    arrays.push_back(
        Array::ofFloats({batches, heads, queries}, std::move(logSumExp)));
  return arrays;
}

Arrays reference::evaluateAttention(AttentionOp op,
                                    const OperandArrays &operands,
                                    Interpreter &interpreter) {
  Attention attention(op, operands, interpreter);
  if (failed(attention.prepare()) || failed(attention.run()))
    return failure();
  return std::move(attention).results();
}
