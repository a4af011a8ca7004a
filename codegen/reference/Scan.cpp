// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recurrences in the reference evaluator: the body, step after step.

#include "codegen/reference/Interpreter.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

/// What an array holds at one index of its first dimension.
static Array entryOf(const Array &array, int64_t index) {
  ArrayRef<int64_t> shape = array.shape().drop_front();
  int64_t size = *Array::count(shape);
  if (!array.isFloat())
    return Array::ofIntegers(shape,
                             array.integers().slice(index * size, size).vec());
  return Array::ofFloats(shape, array.floats().slice(index * size, size).vec());
}

/// Entries of one shape along a new first dimension.
static Arrays stack(ScanOp op, ArrayRef<Array> entries) {
  SmallVector<int64_t> shape{static_cast<int64_t>(entries.size())};
  llvm::append_range(shape, entries.front().shape());
  if (failed(countElements(op, shape)))
    return failure();
  for (const Array &entry : entries)
    if (entry.shape() != entries.front().shape())
      return op.emitOpError("expects the outputs of all steps to have shape ")
             << formatShape(entries.front().shape()) << ", but got "
             << formatShape(entry.shape());
  if (!entries.front().isFloat()) {
    std::vector<int64_t> values;
    for (const Array &entry : entries)
      llvm::append_range(values, entry.integers());
    return SmallVector<Array>{Array::ofIntegers(shape, std::move(values))};
  }
  std::vector<double> values;
  for (const Array &entry : entries)
    llvm::append_range(values, entry.floats());
  return SmallVector<Array>{Array::ofFloats(shape, std::move(values))};
}

/// How often the body runs: as often as every input has entries.
static FailureOr<int64_t> countSteps(ScanOp op, ArrayRef<Array> inputs) {
  int64_t steps = inputs.front().shape().front();
  for (const Array &input : inputs)
    if (input.shape().front() != steps)
      return op.emitOpError("expects all inputs to have ")
             << steps << " steps, but got " << input.shape().front();
  if (steps == 0 && !op.getStacked().empty())
    return op.emitOpError("expects at least one step to stack");
  return steps;
}

Arrays reference::evaluateScan(ScanOp op, const OperandArrays &operands,
                               Interpreter &interpreter, Frame &frame) {
  ArrayRef<Array> inputs = operands.all().drop_front(op.getNumCarried());
  SmallVector<Array> carried(operands.all().take_front(op.getNumCarried()));
  FailureOr<int64_t> steps = countSteps(op, inputs);
  if (failed(steps))
    return failure();
  SmallVector<SmallVector<Array>> outputs(llvm::range_size(op.getStacked()),
                                          SmallVector<Array>(*steps));
  for (int64_t i = 0; i < *steps; ++i) {
    int64_t step = op.getReversed() ? *steps - 1 - i : i;
    SmallVector<Array> arguments(carried);
    for (const Array &input : inputs)
      arguments.push_back(entryOf(input, step));
    Arrays yielded = interpreter.runRegion(op.getBody(), arguments, &frame);
    if (failed(yielded))
      return failure();
    for (auto [output, value] : llvm::zip_equal(
             outputs, ArrayRef(*yielded).drop_front(op.getNumCarried())))
      output[step] = value;
    carried.assign(yielded->begin(), yielded->begin() + op.getNumCarried());
  }
  SmallVector<Array> results(carried);
  for (ArrayRef<Array> output : outputs) {
    Arrays stacked = stack(op, output);
    if (failed(stacked))
      return failure();
    results.push_back(stacked->front());
  }
  return results;
}
