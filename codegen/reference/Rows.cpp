// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normalisation, softmax and embedding in the reference evaluator.

#include "codegen/reference/Interpreter.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

Arrays reference::evaluateLayerNorm(LayerNormOp op,
                                    const OperandArrays &operands) {
  const Array &input = operands[op.getInput()];
  size_t size = *Array::count(input.shape().take_back(op.getAxes()));
  std::vector<double> result = input.floats().vec();
  MutableArrayRef<double> rest = result;
  for (; size && !rest.empty(); rest = rest.drop_front(size)) {
    MutableArrayRef<double> row = rest.take_front(size);
    double mean = std::accumulate(row.begin(), row.end(), 0.0) / size;
    double variance = 0;
    for (double x : row)
      variance += (x - mean) * (x - mean);
    variance /= size;
    for (auto [i, x] : llvm::enumerate(row)) {
      x = (x - mean) / std::sqrt(variance + op.getEps().convertToDouble());
      if (op.getScale())
        x *= operands[op.getScale()].floats()[i];
      if (op.getShift())
        x += operands[op.getShift()].floats()[i];
    }
  }
  return SmallVector<Array>{Array::ofFloats(input.shape(), std::move(result))};
}

Arrays reference::evaluateRmsNorm(RmsNormOp op, const OperandArrays &operands) {
  const Array &input = operands[op.getInput()];
  size_t size = input.shape().back();
  std::vector<double> result = input.floats().vec();
  MutableArrayRef<double> rest = result;
  for (; !rest.empty(); rest = rest.drop_front(size)) {
    MutableArrayRef<double> row = rest.take_front(size);
    double squares = 0;
    for (double x : row)
      squares += x * x;
    double root = std::sqrt(squares / size + op.getEps().convertToDouble());
    for (auto [i, x] : llvm::enumerate(row)) {
      x /= root;
      if (op.getScale())
        x *= operands[op.getScale()].floats()[i];
    }
  }
  return SmallVector<Array>{Array::ofFloats(input.shape(), std::move(result))};
}

Arrays reference::evaluateSoftmax(SoftmaxOp op, const OperandArrays &operands) {
  const Array &input = operands[op.getInput()];
  int64_t size = input.shape()[op.getAxis()];
  int64_t stride = *Array::count(input.shape().drop_front(op.getAxis() + 1));
  std::vector<double> result = input.floats().vec();
  for (int64_t start = 0; start < input.size(); start += size * stride)
    for (int64_t column = start; column < start + stride; ++column) {
      double largest = -INFINITY, sum = 0;
      for (int64_t i = 0; i < size; ++i)
        largest = std::fmax(largest, result[column + i * stride]);
      for (int64_t i = 0; i < size; ++i) {
        double &x = result[column + i * stride];
        x = std::exp(x - largest);
        sum += x;
      }
      for (int64_t i = 0; i < size; ++i)
        result[column + i * stride] /= sum;
    }
  return SmallVector<Array>{Array::ofFloats(input.shape(), std::move(result))};
}

/// Whether ids are an input of the model, whatever their shape has become
/// since.
static bool comeFromInput(Value ids) {
  while (Operation *source = ids.getDefiningOp()) {
    if (source->getNumOperands() == 0 ||
        !isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp,
             tensor::ExtractSliceOp>(source))
      return false;
    ids = source->getOperand(0);
  }
  auto function = dyn_cast<func::FuncOp>(ids.getParentBlock()->getParentOp());
  return function && !function->hasAttr("attn.kernel");
}

Arrays reference::evaluateEmbedding(EmbeddingOp op,
                                    const OperandArrays &operands) {
  const Array &ids = operands[op.getIds()], &table = operands[op.getTable()];
  int64_t entries = table.shape()[0], width = table.shape()[1];
  if (entries == 0 && ids.size() != 0)
    return op.emitOpError("reads from an empty table");
  SmallVector<int64_t> shape(ids.shape());
  shape.push_back(width);
  FailureOr<int64_t> count = countElements(op, shape);
  if (failed(count))
    return failure();
  bool mustFit = comeFromInput(op.getIds());
  std::vector<double> result;
  result.reserve(*count);
  for (int64_t id : ids.integers()) {
    int64_t row = std::clamp<int64_t>(id, 0, entries - 1);
    if (mustFit && row != id)
      return op.emitOpError("expects ids in [0, ")
             << entries << "), but got " << id;
    llvm::append_range(result, table.floats().slice(row * width, width));
  }
  return SmallVector<Array>{Array::ofFloats(shape, std::move(result))};
}
