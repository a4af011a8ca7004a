// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Blocks, calls and control flow of the reference evaluator.

#include "codegen/reference/Interpreter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/TypeSwitch.h"

#include <thread>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

// Deeper calls than any model has; stops recursion without an end.
static constexpr int64_t maxCallDepth = 64;

Interpreter::Interpreter(WeightLookup weights, TapCallback onTap)
    : threads(std::clamp(std::thread::hardware_concurrency(), 1u, 16u)),
      weights(weights), onTap(onTap) {}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

static LogicalResult checkRegion(Region &region, size_t arguments) {
  Operation *op = region.getParentOp();
  if (!region.hasOneBlock())
    return op->emitOpError("cannot be evaluated: expects a region of one "
                           "block, but got ")
           << region.getBlocks().size();
  if (region.getNumArguments() != arguments)
    return op->emitOpError("expects ")
           << region.getNumArguments() << " values for its region, but got "
           << arguments;
  if (region.front().empty() ||
      !region.front().back().hasTrait<OpTrait::IsTerminator>())
    return op->emitOpError("expects a region that ends with a terminator");
  return success();
}

LaneArrays Interpreter::runLanes(Region &region, ArrayRef<LaneArray> arguments,
                                 int64_t lanes, Frame *parent,
                                 LoopIndex loopIndex) {
  if (failed(checkRegion(region, arguments.size())))
    return failure();
  Frame frame{&region.front(), parent, lanes, loopIndex};
  for (auto [value, argument] :
       llvm::zip_equal(region.getArguments(), arguments))
    frame.values[value] = argument;
  return runBlock(frame);
}

Arrays Interpreter::runRegion(Region &region, ArrayRef<Array> arguments,
                              Frame *parent) {
  SmallVector<LaneArray> lanes(arguments.begin(), arguments.end());
  LaneArrays results = runLanes(region, lanes, /*lanes=*/1, parent);
  if (failed(results))
    return failure();
  SmallVector<Array> arrays;
  for (LaneArray &result : *results)
    arrays.push_back(result.array);
  return arrays;
}

/// Weights are read when they are first used.
static bool isLazy(Operation &op) {
  return isa<WeightOp, GetParameterOp>(op) && op.getNumOperands() == 0;
}

LaneArrays Interpreter::runBlock(Frame &frame) {
  const Deaths &lastUses = deathsIn(*frame.block);
  for (auto [op, dead] :
       llvm::zip(frame.block->without_terminator(), lastUses)) {
    if (!isLazy(op) && failed(step(op, frame)))
      return failure();
    for (Value value : dead)
      frame.values.erase(value);
  }
  SmallVector<LaneArray> results;
  Operation &terminator = frame.block->back();
  for (Value operand : terminator.getOperands()) {
    FailureOr<LaneArray> value = lookup(operand, frame, terminator);
    if (failed(value))
      return failure();
    results.push_back(*value);
  }
  return results;
}

/// For each operation of the block, the values that it is the last to use.
const Interpreter::Deaths &Interpreter::deathsIn(Block &block) {
  auto [entry, isNew] = deaths.try_emplace(&block);
  if (!isNew)
    return entry->second;
  Deaths reversed;
  llvm::DenseSet<Value> seen;
  for (Operation &op : llvm::reverse(block)) {
    auto &dead = reversed.emplace_back();
    op.walk([&](Operation *nested) {
      for (Value value : nested->getOperands())
        if (value.getParentBlock() == &block && seen.insert(value).second)
          dead.push_back(value);
    });
    for (Value result : op.getResults())
      if (result.use_empty())
        dead.push_back(result);
  }
  entry->second.assign(std::make_move_iterator(reversed.rbegin()),
                       std::make_move_iterator(reversed.rend()));
  return entry->second;
}

FailureOr<LaneArray> Interpreter::lookup(Value value, Frame &frame,
                                         Operation &user) {
  for (Frame *f = &frame; f; f = f->parent)
    if (auto found = f->values.find(value); found != f->values.end())
      return found->second;

  Operation *source = value.getDefiningOp();
  Frame *home = &frame;
  while (home && home->block != value.getParentBlock())
    home = home->parent;
  if (!source || !isLazy(*source) || !home)
    return user.emitOpError("uses a value that has not been evaluated");
  if (failed(step(*source, *home)))
    return failure();
  return home->values[value];
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

bool reference::fits(ArrayRef<int64_t> shape, RankedTensorType type) {
  return int64_t(shape.size()) == type.getRank() &&
         llvm::all_of(llvm::zip(shape, type.getShape()), [](auto pair) {
           auto [size, expected] = pair;
           return ShapedType::isDynamic(expected) || size == expected;
         });
}

FailureOr<int64_t> reference::countElements(Operation *op,
                                            ArrayRef<int64_t> shape) {
  std::optional<int64_t> count = Array::count(shape);
  if (!count)
    return op->emitOpError("computes a tensor of shape ")
           << formatShape(shape) << ", larger than the " << Array::maxElements
           << " elements that can be evaluated";
  return *count;
}

/// Sizes that only the evaluation knows may contradict the result's type.
static LogicalResult checkResult(Operation &op, Value result,
                                 const LaneArray &value) {
  auto type = dyn_cast<RankedTensorType>(result.getType());
  if (type ? fits(value.shape(), type) : value.shape().empty())
    return success();
  return op.emitOpError("computes a value of shape ")
         << formatShape(value.shape()) << ", but its result is "
         << result.getType();
}

LogicalResult Interpreter::step(Operation &op, Frame &frame) {
  SmallVector<LaneArray> operands;
  for (Value operand : op.getOperands()) {
    FailureOr<LaneArray> value = lookup(operand, frame, op);
    if (failed(value))
      return failure();
    operands.push_back(*value);
  }
  LaneArrays results = evaluate(op, operands, frame);
  if (failed(results))
    return failure();
  auto tap = op.getAttrOfType<StringAttr>("attn.tap");
  for (auto [i, value] : llvm::enumerate(*results)) {
    if (failed(checkResult(op, op.getResult(i), value)))
      return failure();
    if (tap && !value.perLane)
      onTap(i == 0 ? tap.str() : tap.str() + "#" + std::to_string(i),
            value.array);
    frame.values[op.getResult(i)] = std::move(value);
  }
  return success();
}

LaneArrays Interpreter::evaluate(Operation &op, ArrayRef<LaneArray> operands,
                                 Frame &frame) {
  std::optional<FailureOr<LaneArray>> single =
      evaluateElementwise(op, operands, frame.lanes);
  if (!single)
    single = evaluateLaneOp(op, operands, frame);
  if (single) {
    if (failed(*single))
      return failure();
    return SmallVector<LaneArray>{**single};
  }
  llvm::SetVector<Value> used(op.operand_begin(), op.operand_end());
  getUsedValuesDefinedAbove(op.getRegions(), used);
  for (Value value : used) {
    FailureOr<LaneArray> found = lookup(value, frame, op);
    if (failed(found))
      return failure();
    if (found->perLane)
      return evaluateEachLane(op, used.getArrayRef(), frame);
  }

  SmallVector<Array> arrays;
  for (const LaneArray &operand : operands)
    arrays.push_back(operand.array);
  Arrays results = evaluateOnce(op, OperandArrays(&op, arrays), frame);
  if (failed(results))
    return failure();
  return SmallVector<LaneArray>(results->begin(), results->end());
}

/// The operations that are rare in scalar regions run lane by lane.
LaneArrays Interpreter::evaluateEachLane(Operation &op, ArrayRef<Value> used,
                                         Frame &frame) {
  SmallVector<SmallVector<Array>> parts(op.getNumResults());
  for (int64_t lane = 0; lane < frame.lanes; ++lane) {
    Frame single{frame.block, frame.parent};
    for (Value value : used) {
      FailureOr<LaneArray> all = lookup(value, frame, op);
      if (failed(all))
        return failure();
      single.values[value] = laneOf(*all, lane);
    }
    SmallVector<Array> operands;
    for (Value operand : op.getOperands())
      operands.push_back(single.values[operand].array);
    Arrays results = evaluateOnce(op, OperandArrays(&op, operands), single);
    if (failed(results))
      return failure();
    for (auto [part, result] : llvm::zip_equal(parts, *results))
      part.push_back(result);
  }
  SmallVector<LaneArray> results;
  for (SmallVector<Array> &part : parts) {
    FailureOr<LaneArray> stacked = stackLanes(&op, part);
    if (failed(stacked))
      return failure();
    results.push_back(*stacked);
  }
  return results;
}

//===----------------------------------------------------------------------===//
// Weights, calls and control flow
//===----------------------------------------------------------------------===//

Arrays Interpreter::evaluateWeight(WeightOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  llvm::Expected<Array> array = weights(op.getName(), type);
  if (!array)
    return op.emitError() << llvm::toString(array.takeError());
  if (!array->isFloat() || !fits(array->shape(), type))
    return op.emitOpError("expects weight '")
           << op.getName() << "' to be " << type << ", but got "
           << (array->isFloat() ? "floats " : "integers ")
           << formatShape(array->shape());
  return SmallVector<Array>{*array};
}

Arrays Interpreter::evaluateGetParameter(GetParameterOp op,
                                         const OperandArrays &operands) {
  int64_t count = op.getParameters().size();
  int64_t index = op.getIndex() ? indexOf(operands[op.getIndex()]) : 0;
  if (index < 0 || index >= count)
    return op.emitOpError("reads parameter ") << index << " of " << count;
  auto name = cast<FlatSymbolRefAttr>(op.getParameters()[index]);
  auto parameter = SymbolTable::lookupNearestSymbolFrom<ParameterOp>(op, name);
  if (!parameter)
    return op.emitOpError("expects ") << name << " to name an attn.parameter";
  return runRegion(parameter.getBody(), {});
}

Arrays Interpreter::evaluateCall(Operation &op, FlatSymbolRefAttr callee,
                                 ArrayRef<Array> arguments) {
  auto function =
      SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(&op, callee);
  if (!function || function.isExternal())
    return op.emitOpError("expects ")
           << callee << " to name a function with a body";
  return runFunction(function, arguments);
}

Arrays Interpreter::runFunction(func::FuncOp function,
                                ArrayRef<Array> arguments) {
  if (callDepth == maxCallDepth)
    return function.emitOpError("is called more than ")
           << maxCallDepth << " calls deep";
  if (arguments.size() != function.getNumArguments())
    return function.emitOpError("expects ")
           << function.getNumArguments() << " arguments, but got "
           << arguments.size();
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[i]);
    if (type ? !fits(argument.shape(), type) : argument.rank() != 0)
      return function.emitOpError("expects argument ")
             << i << " to be " << function.getArgumentTypes()[i]
             << ", but got shape " << formatShape(argument.shape());
  }
  ++callDepth;
  Arrays results = runRegion(function.getBody(), arguments);
  --callDepth;
  return results;
}

static Arrays evaluateFor(scf::ForOp op, const OperandArrays &operands,
                          Interpreter &interpreter, Frame &frame) {
  int64_t lower = indexOf(operands[op.getLowerBound()]);
  int64_t upper = indexOf(operands[op.getUpperBound()]);
  int64_t step = indexOf(operands[op.getStep()]);
  if (step <= 0)
    return op.emitOpError("expects a positive step, but got ") << step;
  SmallVector<Array> carried(
      operands.all().drop_front(op.getNumControlOperands()));
  for (int64_t i = lower; i < upper;) {
    SmallVector<Array> arguments{Array::ofIntegers({}, {i})};
    arguments.append(carried);
    Arrays results = interpreter.runRegion(op.getRegion(), arguments, &frame);
    if (failed(results))
      return failure();
    carried = std::move(*results);
    if (upper - i <= step)
      break;
    i += step;
  }
  return carried;
}

static Arrays evaluateIf(scf::IfOp op, const OperandArrays &operands,
                         Interpreter &interpreter, Frame &frame) {
  bool condition = indexOf(operands[op.getCondition()]);
  Region &region = condition ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return SmallVector<Array>{};
  return interpreter.runRegion(region, {}, &frame);
}

Arrays Interpreter::evaluateOnce(Operation &op, const OperandArrays &operands,
                                 Frame &frame) {
  if (std::optional<Arrays> results = evaluateTensorOp(op, operands))
    return *results;
  return TypeSwitch<Operation *, Arrays>(&op)
      .Case([&](WeightOp op) { return evaluateWeight(op); })
      .Case(
          [&](GetParameterOp op) { return evaluateGetParameter(op, operands); })
      .Case([&](LinearOp op) { return evaluateLinear(op, operands, *this); })
      .Case([&](MatmulOp op) { return evaluateMatmul(op, operands, *this); })
      .Case([&](LayerNormOp op) { return evaluateLayerNorm(op, operands); })
      .Case([&](RmsNormOp op) { return evaluateRmsNorm(op, operands); })
      .Case([&](SoftmaxOp op) { return evaluateSoftmax(op, operands); })
      .Case([&](EmbeddingOp op) { return evaluateEmbedding(op, operands); })
      .Case([&](TokenRowsOp op) { return evaluateTokenRows(op, operands); })
      .Case([&](AppendOp op) { return evaluateAppend(op, operands); })
      .Case([&](ReadPagesOp op) { return evaluateReadPages(op, operands); })
      .Case([&](AttentionOp op) {
        return evaluateAttention(op, operands, *this);
      })
      .Case([&](linalg::LinalgOp op) {
        return evaluateStructured(op, operands, *this, frame);
      })
      .Case([&](func::CallOp op) {
        return evaluateCall(*op, op.getCalleeAttr(), operands.all());
      })
      .Case([&](LaunchOp op) {
        return evaluateCall(*op, op.getKernelAttr(), operands.all());
      })
      .Case([&](scf::ForOp op) {
        return evaluateFor(op, operands, *this, frame);
      })
      .Case([&](ScanOp op) { return evaluateScan(op, operands, *this, frame); })
      .Case(
          [&](scf::IfOp op) { return evaluateIf(op, operands, *this, frame); })
      .Default([](Operation *op) -> Arrays {
        return op->emitOpError("is not known to the reference evaluator");
      });
}
