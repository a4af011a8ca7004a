// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// linalg in the reference evaluator: generic and every named operation, since
// all of them are loops, maps and a scalar body.

#include "codegen/reference/Access.h"
#include "codegen/reference/Interpreter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

namespace {

/// One loop nest, reductions outermost: within one reduction step every lane
/// owns its element of the results.
class LoopNest {
public:
  LoopNest(linalg::LinalgOp op, const OperandArrays &operands,
           Interpreter &interpreter, Frame &frame)
      : op(op), operands(operands), interpreter(interpreter), frame(frame) {}

  LogicalResult prepare();
  LogicalResult run();
  SmallVector<Array> results() const;

private:
  struct Result {
    bool isFloat;
    SmallVector<int64_t> shape;
    std::vector<double> floats;
    std::vector<int64_t> integers;

    Array gather(ArrayRef<int64_t> positions) const;
    void scatter(ArrayRef<int64_t> positions, const Array &values);
  };

  FailureOr<SmallVector<int64_t>> findLoopSizes();
  LogicalResult runChunk(int64_t first, int64_t count);

  linalg::LinalgOp op;
  const OperandArrays &operands;
  Interpreter &interpreter;
  Frame &frame;
  SmallVector<unsigned> order;  // loop at each depth, reductions first
  SmallVector<int64_t> sizes;   // of the loops in that order
  int64_t inner = 1, total = 1; // iterations: of the parallel loops, of all
  SmallVector<Access> accesses; // of each operand, over the ordered loops
  SmallVector<Result> outputs;
};

} // namespace

Array LoopNest::Result::gather(ArrayRef<int64_t> positions) const {
  int64_t lanes = positions.size();
  if (isFloat) {
    std::vector<double> values;
    for (int64_t position : positions)
      values.push_back(floats[position]);
    return Array::ofFloats(lanes, std::move(values));
  }
  std::vector<int64_t> values;
  for (int64_t position : positions)
    values.push_back(integers[position]);
  return Array::ofIntegers(lanes, std::move(values));
}

void LoopNest::Result::scatter(ArrayRef<int64_t> positions,
                               const Array &values) {
  for (auto [i, position] : llvm::enumerate(positions)) {
    if (isFloat)
      floats[position] = values.floats()[i];
    else
      integers[position] = values.integers()[i];
  }
}

/// Each loop has the size of the first dimension that it alone indexes.
FailureOr<SmallVector<int64_t>> LoopNest::findLoopSizes() {
  SmallVector<int64_t> found(op.getNumLoops(), -1);
  for (auto [map, array] :
       llvm::zip_equal(op.getIndexingMapsArray(), operands.all()))
    for (auto [expr, size] : llvm::zip(map.getResults(), array.shape()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        if (found[dim.getPosition()] < 0)
          found[dim.getPosition()] = size;
  for (auto [loop, size] : llvm::enumerate(found))
    if (size < 0)
      return op->emitOpError("has no operand that gives the size of loop ")
             << loop;
  return found;
}

LogicalResult LoopNest::prepare() {
  if (!op.hasPureTensorSemantics())
    return op->emitOpError("cannot be evaluated: expects tensors");
  FailureOr<SmallVector<int64_t>> found = findLoopSizes();
  if (failed(found))
    return failure();
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  for (bool reductions : {true, false})
    for (auto [loop, kind] : llvm::enumerate(kinds))
      if ((kind != utils::IteratorType::parallel) == reductions)
        order.push_back(loop);
  for (unsigned loop : order) {
    sizes.push_back((*found)[loop]);
    if (llvm::MulOverflow(total, sizes.back(), total))
      return op->emitOpError("has more iterations than can be counted");
    if (kinds[loop] == utils::IteratorType::parallel)
      inner *= sizes.back();
  }

  for (auto [i, map, array] :
       llvm::enumerate(op.getIndexingMapsArray(), operands.all())) {
    FailureOr<Access> access =
        Access::create(op, "operand " + Twine(i), map, *found, array.shape());
    if (failed(access))
      return failure();
    SmallVector<int64_t> strides;
    for (unsigned loop : order)
      strides.push_back(access->strides[loop]);
    accesses.push_back({access->start, strides});
  }
  for (Value init : op.getDpsInits()) {
    const Array &array = operands[init];
    Result &result = outputs.emplace_back();
    result.isFloat = array.isFloat();
    result.shape.assign(array.shape().begin(), array.shape().end());
    if (array.isFloat())
      result.floats = array.floats().vec();
    else
      result.integers = array.integers().vec();
  }
  return success();
}

LogicalResult LoopNest::run() {
  // Enough lanes to hide the cost of walking the body, few enough for the
  // cache.
  constexpr int64_t chunk = 2048;
  for (int64_t step = 0; step < total; step += inner)
    for (int64_t first = 0; first < inner; first += chunk)
      if (failed(runChunk(step + first, std::min(chunk, inner - first))))
        return failure();
  return success();
}

LogicalResult LoopNest::runChunk(int64_t first, int64_t count) {
  SmallVector<LaneArray> arguments;
  SmallVector<std::vector<int64_t>> written;
  int64_t inputs = op.getNumDpsInputs();
  for (auto [i, access] : llvm::enumerate(accesses)) {
    bool isUsed = !op.getBlock()->getArgument(i).use_empty();
    std::vector<int64_t> positions;
    if (isUsed || int64_t(i) >= inputs)
      positions = access.positions(sizes, first, count);
    if (!isUsed)
      arguments.emplace_back();
    else if (int64_t(i) < inputs)
      arguments.emplace_back(reference::gather(operands.all()[i], positions),
                             /*perLane=*/true);
    else
      arguments.emplace_back(outputs[i - inputs].gather(positions),
                             /*perLane=*/true);
    if (int64_t(i) >= inputs)
      written.push_back(std::move(positions));
  }

  auto loopIndex = [&](int64_t loop) {
    Access access{0, SmallVector<int64_t>(sizes.size(), 0)};
    for (auto [depth, ordered] : llvm::enumerate(order))
      access.strides[depth] = ordered == loop;
    return Array::ofIntegers(count, access.positions(sizes, first, count));
  };
  LaneArrays values = interpreter.runLanes(*op.getBlock()->getParent(),
                                           arguments, count, &frame, loopIndex);
  if (failed(values))
    return failure();
  for (auto [output, positions, value] :
       llvm::zip_equal(outputs, written, *values))
    output.scatter(positions, spreadLanes(value, count).array);
  return success();
}

SmallVector<Array> LoopNest::results() const {
  SmallVector<Array> arrays;
  for (const Result &output : outputs)
    arrays.push_back(output.isFloat
                         ? Array::ofFloats(output.shape, output.floats)
                         : Array::ofIntegers(output.shape, output.integers));
  return arrays;
}

Arrays reference::evaluateStructured(linalg::LinalgOp op,
                                     const OperandArrays &operands,
                                     Interpreter &interpreter, Frame &frame) {
  LoopNest nest(op, operands, interpreter, frame);
  if (failed(nest.prepare()) || failed(nest.run()))
    return failure();
  return nest.results();
}
