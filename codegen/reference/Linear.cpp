// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.linear with its prologue and epilogues, and attn.matmul.

#include "codegen/reference/Access.h"
#include "codegen/reference/Interpreter.h"
#include "codegen/reference/Products.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

//===----------------------------------------------------------------------===//
// attn.linear
//===----------------------------------------------------------------------===//

static FailureOr<Array> applyPrologue(LinearOp op, const Array &input,
                                      const OperandArrays &operands,
                                      Interpreter &interpreter) {
  int64_t depth = input.shape().back();
  SmallVector<Array> arguments(1);
  for (Value capture : op.getPrologueCaptures())
    arguments.push_back(operands[capture]);
  std::vector<double> rows;
  rows.reserve(input.size());
  for (ArrayRef<double> rest = input.floats(); !rest.empty();
       rest = rest.drop_front(depth)) {
    arguments.front() = Array::ofFloats(depth, rest.take_front(depth).vec());
    Arrays row = interpreter.runRegion(op.getPrologue(), arguments);
    if (failed(row))
      return failure();
    if (row->front().shape() != ArrayRef<int64_t>(depth))
      return op.emitOpError("has a prologue that yields ")
             << formatShape(row->front().shape()) << " instead of [" << depth
             << "]";
    llvm::append_range(rows, row->front().floats());
  }
  return Array::ofFloats(input.shape(), std::move(rows));
}

/// Maps every accumulator through epilogue n, a chunk of elements at a time.
static FailureOr<Array> applyEpilogue(LinearOp op, Region &epilogue,
                                      const Array &product,
                                      const OperandArrays &operands,
                                      Interpreter &interpreter) {
  constexpr int64_t chunk = 2048;
  ArrayRef<int64_t> shape = product.shape();
  SmallVector<std::optional<Access>> accesses;
  for (auto [i, capture] : llvm::enumerate(op.getCaptures())) {
    std::optional<Access> &access = accesses.emplace_back();
    if (epilogue.getArgument(i + 1).use_empty())
      continue;
    AffineMap map = cast<AffineMapAttr>((*op.getCaptureMaps())[i]).getValue();
    FailureOr<Access> created = Access::create(
        op, "capture " + Twine(i), map, shape, operands[capture].shape());
    if (failed(created))
      return failure();
    access = *created;
  }

  std::vector<double> results;
  results.reserve(product.size());
  for (int64_t first = 0; first < product.size(); first += chunk) {
    int64_t lanes = std::min(chunk, product.size() - first);
    SmallVector<LaneArray> arguments;
    arguments.emplace_back(
        Array::ofFloats(lanes, product.floats().slice(first, lanes).vec()),
        /*perLane=*/true);
    for (auto [capture, access] : llvm::zip_equal(op.getCaptures(), accesses)) {
      if (access)
        arguments.emplace_back(
            gather(operands[capture], access->positions(shape, first, lanes)),
            /*perLane=*/true);
      else
        arguments.emplace_back();
    }
    LaneArrays values = interpreter.runLanes(epilogue, arguments, lanes);
    if (failed(values))
      return failure();
    llvm::append_range(results,
                       spreadLanes(values->front(), lanes).array.floats());
  }
  return Array::ofFloats(shape, std::move(results));
}

Arrays reference::evaluateLinear(LinearOp op, const OperandArrays &operands,
                                 Interpreter &interpreter) {
  Array input = operands[op.getInput()];
  int64_t depth = input.shape().back();
  if (!op.getPrologue().empty()) {
    FailureOr<Array> rows = applyPrologue(op, input, operands, interpreter);
    if (failed(rows))
      return failure();
    input = *rows;
  }

  SmallVector<Array> results;
  for (auto [i, weightValue] : llvm::enumerate(op.getWeights())) {
    const Array &weight = operands[weightValue];
    if (weight.shape()[1] != depth)
      return op.emitOpError("expects rows of ")
             << weight.shape()[1] << " elements, but got " << depth;
    SmallVector<int64_t> shape(input.shape());
    shape.back() = weight.shape()[0];
    FailureOr<int64_t> count = countElements(op, shape);
    if (failed(count))
      return failure();
    int64_t columns = weight.shape()[0];
    std::vector<double> product(*count);
    multiplyTransposed(input.floats().data(), weight.floats().data(),
                       product.data(), columns ? *count / columns : 0, columns,
                       depth, interpreter.threads);
    FailureOr<Array> result = Array::ofFloats(shape, std::move(product));
    if (!op.getEpilogues().empty())
      result = applyEpilogue(op, op.getEpilogues()[i], *result, operands,
                             interpreter);
    if (failed(result))
      return failure();
    results.push_back(*result);
  }
  return results;
}

//===----------------------------------------------------------------------===//
// attn.matmul
//===----------------------------------------------------------------------===//

static std::vector<double> transpose(const double *from, int64_t rows,
                                     int64_t columns) {
  std::vector<double> to(rows * columns);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[c * rows + r] = from[r * columns + c];
  return to;
}

Arrays reference::evaluateMatmul(MatmulOp op, const OperandArrays &operands,
                                 Interpreter &interpreter) {
  const Array &a = operands[op.getA()], &b = operands[op.getB()];
  bool transposed = op.getTransposeB();
  int64_t rank = a.rank();
  int64_t rows = a.shape()[rank - 2], depth = a.shape()[rank - 1];
  int64_t columns = b.shape()[rank - (transposed ? 2 : 1)];
  if (b.shape()[rank - (transposed ? 1 : 2)] != depth ||
      a.shape().drop_back(2) != b.shape().drop_back(2))
    return op.emitOpError("cannot multiply ")
           << formatShape(a.shape()) << " by "
           << (transposed ? "the transpose of " : "") << formatShape(b.shape());

  SmallVector<int64_t> shape(a.shape());
  shape.back() = columns;
  FailureOr<int64_t> count = countElements(op, shape);
  if (failed(count))
    return failure();
  std::vector<double> result(*count);
  int64_t products = *count ? *count / (rows * columns) : 0;
  for (int64_t i = 0; i < products; ++i) {
    const double *right = b.floats().data() + i * depth * columns;
    std::vector<double> turned;
    if (!transposed) {
      turned = transpose(right, depth, columns);
      right = turned.data();
    }
    multiplyTransposed(a.floats().data() + i * rows * depth, right,
                       result.data() + i * rows * columns, rows, columns, depth,
                       interpreter.threads);
  }
  return SmallVector<Array>{Array::ofFloats(shape, std::move(result))};
}
