// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of many lanes, and the operations of scalar regions that work on all
// lanes at once: reads of captured tensors, dot products and sums.

#include "codegen/reference/Interpreter.h"
#include "codegen/reference/Products.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

Array reference::laneOf(const LaneArray &value, int64_t lane) {
  if (!value.perLane)
    return value.array;
  int64_t size = *Array::count(value.shape());
  if (value.array.isFloat()) {
    ArrayRef<double> part = value.array.floats().slice(lane * size, size);
    return Array::ofFloats(value.shape(), part.vec());
  }
  ArrayRef<int64_t> part = value.array.integers().slice(lane * size, size);
  return Array::ofIntegers(value.shape(), part.vec());
}

template <typename T>
static std::vector<T> repeat(ArrayRef<T> values, int64_t times) {
  std::vector<T> results;
  results.reserve(values.size() * times);
  for (int64_t i = 0; i < times; ++i)
    results.insert(results.end(), values.begin(), values.end());
  return results;
}

LaneArray reference::spreadLanes(const LaneArray &value, int64_t lanes) {
  if (value.perLane)
    return value;
  SmallVector<int64_t> shape{lanes};
  llvm::append_range(shape, value.array.shape());
  if (value.array.isFloat())
    return {Array::ofFloats(shape, repeat(value.array.floats(), lanes)), true};
  return {Array::ofIntegers(shape, repeat(value.array.integers(), lanes)),
          true};
}

FailureOr<LaneArray> reference::stackLanes(Operation *op,
                                           ArrayRef<Array> parts) {
  SmallVector<int64_t> shape{int64_t(parts.size())};
  llvm::append_range(shape, parts.front().shape());
  if (failed(countElements(op, shape)))
    return failure();
  std::vector<double> floats;
  std::vector<int64_t> integers;
  for (const Array &part : parts) {
    if (part.shape() != parts.front().shape())
      return op->emitOpError("has results of different shapes, ")
             << formatShape(parts.front().shape()) << " and "
             << formatShape(part.shape());
    if (part.isFloat())
      llvm::append_range(floats, part.floats());
    else
      llvm::append_range(integers, part.integers());
  }
  if (parts.front().isFloat())
    return LaneArray(Array::ofFloats(shape, std::move(floats)), true);
  return LaneArray(Array::ofIntegers(shape, std::move(integers)), true);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Gathers source[positions] of either element type.
static Array gather(const Array &source, ArrayRef<int64_t> positions,
                    ArrayRef<int64_t> shape) {
  if (source.isFloat()) {
    std::vector<double> values;
    for (int64_t position : positions)
      values.push_back(source.floats()[position]);
    return Array::ofFloats(shape, std::move(values));
  }
  std::vector<int64_t> values;
  for (int64_t position : positions)
    values.push_back(source.integers()[position]);
  return Array::ofIntegers(shape, std::move(values));
}

static FailureOr<LaneArray> evaluateExtract(tensor::ExtractOp op,
                                            ArrayRef<LaneArray> operands,
                                            int64_t lanes) {
  bool perLane = llvm::any_of(
      operands, [](const LaneArray &operand) { return operand.perLane; });
  const LaneArray &source = operands.front();
  int64_t count = perLane ? lanes : 1;
  std::vector<int64_t> positions(count, 0);
  if (source.perLane)
    std::iota(positions.begin(), positions.end(), 0);
  for (auto [axis, size] : llvm::enumerate(source.shape())) {
    const LaneArray &index = operands[axis + 1];
    for (int64_t lane = 0; lane < count; ++lane) {
      int64_t at = index.array.integers()[index.perLane ? lane : 0];
      if (at < 0 || at >= size)
        return op.emitOpError("reads index ")
               << at << " of dimension " << axis << ", which has size " << size;
      positions[lane] = positions[lane] * size + at;
    }
  }
  ArrayRef<int64_t> shape(count);
  return LaneArray(
      gather(source.array, positions, perLane ? shape : ArrayRef<int64_t>()),
      perLane);
}

static FailureOr<LaneArray> evaluateDim(tensor::DimOp op,
                                        ArrayRef<LaneArray> operands) {
  ArrayRef<int64_t> shape = operands[0].shape();
  std::vector<int64_t> sizes;
  for (int64_t axis : operands[1].array.integers()) {
    if (axis < 0 || axis >= int64_t(shape.size()))
      return op.emitOpError("asks for dimension ")
             << axis << " of a tensor of rank " << shape.size();
    sizes.push_back(shape[axis]);
  }
  return LaneArray(
      Array::ofIntegers(operands[1].array.shape(), std::move(sizes)),
      operands[1].perLane);
}

static FailureOr<LaneArray> evaluateSplat(tensor::SplatOp op,
                                          ArrayRef<LaneArray> operands) {
  if (!op.getDynamicSizes().empty())
    return op.emitOpError("with dynamic sizes is not known to the reference "
                          "evaluator");
  const LaneArray &scalar = operands.front();
  SmallVector<int64_t> shape(scalar.array.shape());
  llvm::append_range(shape, op.getType().getShape());
  FailureOr<int64_t> count = countElements(op, shape);
  if (failed(count))
    return failure();
  int64_t each = *count / std::max<int64_t>(scalar.array.size(), 1);
  std::vector<int64_t> positions;
  positions.reserve(*count);
  for (int64_t i = 0; i < scalar.array.size(); ++i)
    positions.insert(positions.end(), each, i);
  return LaneArray(gather(scalar.array, positions, shape), scalar.perLane);
}

static LaneArray evaluateDot(ArrayRef<LaneArray> operands, int64_t lanes) {
  const LaneArray &a = operands[0], &b = operands[1];
  bool perLane = a.perLane || b.perLane;
  int64_t depth = a.shape().front();
  std::vector<double> results(perLane ? lanes : 1);
  for (size_t lane = 0; lane < results.size(); ++lane)
    results[lane] =
        dot(a.array.floats().data() + (a.perLane ? lane * depth : 0),
            b.array.floats().data() + (b.perLane ? lane * depth : 0), depth);
  SmallVector<int64_t> shape;
  if (perLane)
    shape.push_back(lanes);
  return {Array::ofFloats(shape, std::move(results)), perLane};
}

static LaneArray evaluateSum(const LaneArray &input) {
  int64_t depth = input.shape().front();
  ArrayRef<int64_t> shape = input.array.shape().drop_back();
  std::vector<double> results(*Array::count(shape));
  ArrayRef<double> values = input.array.floats();
  for (double &result : results) {
    result = std::accumulate(values.begin(), values.begin() + depth, 0.0);
    values = values.drop_front(depth);
  }
  return {Array::ofFloats(shape, std::move(results)), input.perLane};
}

std::optional<FailureOr<LaneArray>>
reference::evaluateLaneOp(Operation &op, ArrayRef<LaneArray> operands,
                          Frame &frame) {
  using Result = std::optional<FailureOr<LaneArray>>;
  return TypeSwitch<Operation *, Result>(&op)
      .Case([&](tensor::ExtractOp op) {
        return evaluateExtract(op, operands, frame.lanes);
      })
      .Case([&](tensor::DimOp op) { return evaluateDim(op, operands); })
      .Case([&](tensor::SplatOp op) { return evaluateSplat(op, operands); })
      .Case([&](DotOp) {
        return FailureOr<LaneArray>(evaluateDot(operands, frame.lanes));
      })
      .Case([&](SumOp) {
        return FailureOr<LaneArray>(evaluateSum(operands.front()));
      })
      .Case([&](linalg::IndexOp op) -> Result {
        if (!frame.loopIndex)
          return op.emitOpError("stands in no loop");
        return FailureOr<LaneArray>(
            LaneArray(frame.loopIndex(op.getDim()), /*perLane=*/true));
      })
      .Default(std::nullopt);
}
