// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// scan { linear(x_t, w) } => scan over linear(x, w).

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "passes/Elementwise.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/outline/KernelGroups.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_HOISTFROMSCANS
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-hoist-from-scans";

//===----------------------------------------------------------------------===//
// One operation for all steps
//===----------------------------------------------------------------------===//

/// The map of coordinates that have the step in front.
static AffineMap behindStep(AffineMap map) {
  return map.shiftDims(/*shift=*/1);
}

/// The same, of a tensor that has the step in front itself.
static AffineMap withStep(AffineMap map) {
  SmallVector<AffineExpr> results{getAffineDimExpr(0, map.getContext())};
  llvm::append_range(results, behindStep(map).getResults());
  return AffineMap::get(map.getNumDims() + 1, 0, results, map.getContext());
}

static RankedTensorType withSteps(Type type, int64_t steps) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape{steps};
  llvm::append_range(shape, tensor.getShape());
  return RankedTensorType::get(shape, tensor.getElementType());
}

namespace {

/// Computes for all steps, in front of a scan, what its body computes of the
/// inputs alone.
class StepLifter {
public:
  explicit StepLifter(ScanOp scan)
      : scan(scan),
        steps(cast<RankedTensorType>(scan.getInputs().front().getType())
                  .getDimSize(0)),
        builder(scan) {
    for (auto [i, input] : llvm::enumerate(scan.getInputs()))
      lifted[scan.getStepArgument(i)] = input;
  }

  /// Whether the value of a step depends on nothing but inputs of the scan and
  /// what is the same in every step.
  bool canLift(Value value) {
    if (lifted.contains(value))
      return true;
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != &scan.getBody().front())
      return false;
    auto [known, isNew] = liftable.try_emplace(op, false);
    if (isNew) {
      bool can = canLift(op);
      liftable[op] = can;
      return can;
    }
    return known->second;
  }

  /// Why an operation whose values cannot be lifted stays in the body.
  std::string whyNot(Operation *op) {
    llvm::SetVector<Operation *> behind;
    behind.insert(op);
    Operation *obstacle = op;
    for (unsigned next = 0; next < behind.size(); ++next) {
      bool isFirst = true;
      for (Value value : usedValues(behind[next])) {
        if (isInvariant(value) || canLift(value))
          continue;
        if (!value.getDefiningOp())
          return "it depends on what the scan carries";
        behind.insert(value.getDefiningOp());
        isFirst = false;
      }
      if (isFirst)
        obstacle = behind[next];
    }
    return (obstacle == op ? "it" : obstacle->getName().getStringRef().str()) +
           " is not computed for all steps at once";
  }

  /// The values of all steps, the steps in front.
  Value lift(Value value) {
    if (Value known = lifted.lookup(value))
      return known;
    Operation *op = value.getDefiningOp();
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](LinearOp linear) { liftLinear(linear); })
        .Case([&](EmbeddingOp embedding) { liftEmbedding(embedding); })
        .Case([&](linalg::GenericOp map) { liftMap(map); });
    return lifted.lookup(value);
  }

private:
  bool isInvariant(Value value) { return scan.isDefinedOutsideOfLoop(value); }

  bool canLift(Operation *op) {
    auto invariantOrLifted = [&](Value value) {
      return isInvariant(value) || canLift(value);
    };
    if (auto linear = dyn_cast<LinearOp>(op))
      return linear.getPrologue().empty() && canLift(linear.getInput()) &&
             llvm::all_of(linear.getWeights(),
                          [&](Value w) { return isInvariant(w); }) &&
             llvm::all_of(linear.getCaptures(), invariantOrLifted);
    if (auto embedding = dyn_cast<EmbeddingOp>(op))
      return canLift(embedding.getIds()) && isInvariant(embedding.getTable());
    auto map = dyn_cast<linalg::GenericOp>(op);
    if (!map || !isElementwise(map) || usesIndices(map) ||
        findOutsideValue(*map.getBody()))
      return false;
    auto empty = map.getDpsInits().front().getDefiningOp<tensor::EmptyOp>();
    return empty &&
           llvm::all_of(empty.getDynamicSizes(),
                        [&](Value size) { return isInvariant(size); }) &&
           llvm::all_of(map.getDpsInputs(), invariantOrLifted);
  }

  void liftLinear(LinearOp linear) {
    SmallVector<Value> captures;
    SmallVector<Attribute> maps;
    for (auto [i, capture] : llvm::enumerate(linear.getCaptures())) {
      auto map = cast<AffineMapAttr>((*linear.getCaptureMaps())[i]).getValue();
      bool same = isInvariant(capture);
      captures.push_back(same ? capture : lift(capture));
      maps.push_back(
          AffineMapAttr::get(same ? behindStep(map) : withStep(map)));
    }
    Value input = lift(linear.getInput());
    SmallVector<Type> types;
    for (Type type : linear.getResultTypes())
      types.push_back(withSteps(type, steps));
    auto all = LinearOp::create(
        builder, linear.getLoc(), types, input, linear.getWeights(), captures,
        ValueRange{}, maps.empty() ? ArrayAttr() : builder.getArrayAttr(maps),
        linear.getEpilogues().size());
    for (auto [from, to] :
         llvm::zip_equal(linear.getEpilogues(), all.getEpilogues())) {
      IRMapping mapping;
      from.cloneInto(&to, mapping);
    }
    for (auto [one, every] :
         llvm::zip_equal(linear.getOutputs(), all.getOutputs()))
      lifted[one] = every;
  }

  void liftEmbedding(EmbeddingOp embedding) {
    Value ids = lift(embedding.getIds());
    lifted[embedding.getResult()] = EmbeddingOp::create(
        builder, embedding.getLoc(), withSteps(embedding.getType(), steps), ids,
        embedding.getTable());
  }

  void liftMap(linalg::GenericOp map) {
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (OpOperand *operand : map.getDpsInputOperands()) {
      AffineMap read = map.getMatchingIndexingMap(operand);
      bool same = isInvariant(operand->get());
      inputs.push_back(same ? operand->get() : lift(operand->get()));
      maps.push_back(same ? behindStep(read) : withStep(read));
    }
    OpOperand &init = map.getDpsInitsMutable()[0];
    maps.push_back(withStep(map.getMatchingIndexingMap(&init)));
    auto empty = init.get().getDefiningOp<tensor::EmptyOp>();
    SmallVector<OpFoldResult> sizes{
        tensor::getMixedSize(builder, map.getLoc(), scan.getInputs()[0], 0)};
    llvm::append_range(sizes, empty.getMixedSizes());
    Value out = tensor::EmptyOp::create(builder, map.getLoc(), sizes,
                                        empty.getType().getElementType());
    SmallVector<utils::IteratorType> loops(map.getNumLoops() + 1,
                                           utils::IteratorType::parallel);
    auto all = linalg::GenericOp::create(builder, map.getLoc(), out.getType(),
                                         inputs, out, maps, loops);
    IRMapping mapping;
    map.getRegion().cloneInto(&all.getRegion(), mapping);
    lifted[map.getResult(0)] = all.getResult(0);
  }

  ScanOp scan;
  int64_t steps;
  OpBuilder builder;
  llvm::DenseMap<Value, Value> lifted;
  llvm::DenseMap<Operation *, bool> liftable;
};

} // namespace

//===----------------------------------------------------------------------===//
// The scan without them
//===----------------------------------------------------------------------===//

/// The same scan, over the values of all steps in place of what its body
/// computed, and without the inputs that nothing reads any more.
static void replaceSteps(ScanOp scan,
                         ArrayRef<std::pair<Value, Value>> hoisted) {
  SmallVector<Value> inputs(scan.getInputs());
  Block &body = scan.getBody().front();
  for (auto [step, all] : hoisted) {
    inputs.push_back(all);
    step.replaceAllUsesWith(body.addArgument(step.getType(), step.getLoc()));
  }
  eraseDeadOperations(body);
  for (unsigned i = inputs.size(); i-- > 0;)
    if (inputs.size() > 1 && scan.getStepArgument(i).use_empty()) {
      body.eraseArgument(scan.getNumCarried() + i);
      inputs.erase(inputs.begin() + i);
    }
  OpBuilder builder(scan);
  auto other = ScanOp::create(builder, scan.getLoc(), scan.getResultTypes(),
                              scan.getInitials(), inputs, scan.getReversed());
  other.getBody().takeBody(scan.getBody());
  other->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
  scan->replaceAllUsesWith(other);
  scan.erase();
}

/// What is worth a pass over all steps: products with weights, which read them
/// once then, and lookups.
static bool isHoisted(Operation *op, StepLifter &lifter) {
  return isa<LinearOp, EmbeddingOp>(op) && lifter.canLift(op->getResult(0));
}

/// The values of hoisted operations that others in the body read.
static llvm::DenseSet<Value> findNeeded(Block &body, StepLifter &lifter) {
  llvm::DenseSet<Value> needed;
  llvm::SetVector<Operation *> live;
  live.insert(body.getTerminator());
  for (unsigned next = 0; next < live.size(); ++next)
    for (Value value : usedValues(live[next])) {
      Operation *op = value.getDefiningOp();
      if (!op || op->getBlock() != &body)
        continue;
      if (isHoisted(op, lifter))
        needed.insert(value);
      else
        live.insert(op);
    }
  return needed;
}

static void hoistSteps(ScanOp scan) {
  StepLifter lifter(scan);
  Block &body = scan.getBody().front();
  llvm::DenseSet<Value> needed = findNeeded(body, lifter);
  SmallVector<std::pair<Value, Value>> hoisted;
  for (Operation &op : body) {
    if (!isHoisted(&op, lifter)) {
      if (isa<LinearOp>(op))
        remarkDeclined(kPass, &op, lifter.whyNot(&op));
      continue;
    }
    remarkDone(kPass, &op, "computed for all steps at once, before the scan");
    for (Value result : op.getResults())
      if (needed.contains(result))
        hoisted.emplace_back(result, lifter.lift(result));
  }
  if (!hoisted.empty())
    replaceSteps(scan, hoisted);
}

namespace {
struct HoistFromScans : attn::impl::HoistFromScansBase<HoistFromScans> {
  void runOnOperation() override {
    // From the innermost on, so that what an inner one gives up an outer one
    // can.
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp scan) { scans.push_back(scan); });
    for (ScanOp scan : scans) {
      moveLoopInvariantCode(scan);
      hoistSteps(scan);
    }
  }
};
} // namespace
