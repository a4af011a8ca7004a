// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rolls equal layers, launch for launch, into one loop.

#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "passes/plan/SymbolicShapes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

namespace attn {
#define GEN_PASS_DEF_ROLLLAYERS
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

/// The launches and reshapes of a model function, in order. Parameters are not
/// steps: each layer reads its own.
class Steps {
public:
  explicit Steps(Block &block) {
    for (Operation &op : block)
      if (isa<LaunchOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
        positions[&op] = steps.size();
        kinds.push_back(kindOf(&op));
        steps.push_back(&op);
      }
  }

  size_t size() const { return steps.size(); }
  Operation *operator[](size_t i) const { return steps[i]; }

  /// Position of the step that defines a value.
  std::optional<size_t> positionOf(Value value) const {
    auto it = positions.find(value.getDefiningOp());
    return it == positions.end() ? std::nullopt : std::optional(it->second);
  }
  std::optional<size_t> positionOf(Operation *op) const {
    auto it = positions.find(op);
    return it == positions.end() ? std::nullopt : std::optional(it->second);
  }

  /// Equal but for operands.
  bool isSame(size_t a, size_t b) const { return kinds[a] == kinds[b]; }

private:
  /// The first step equal to `op`.
  size_t kindOf(Operation *op) const {
    for (size_t i = 0; i < steps.size(); ++i)
      if (kinds[i] == i && isSameStep(steps[i], op))
        return i;
    return steps.size();
  }

  static bool isSameStep(Operation *a, Operation *b) {
    return a->getName() == b->getName() &&
           a->getDiscardableAttrDictionary() ==
               b->getDiscardableAttrDictionary() &&
           a->getPropertiesAsAttribute() == b->getPropertiesAsAttribute() &&
           a->getOperandTypes() == b->getOperandTypes() &&
           a->getResultTypes() == b->getResultTypes();
  }

  SmallVector<Operation *> steps;
  SmallVector<size_t> kinds;
  llvm::DenseMap<Operation *, size_t> positions;
};

/// `count` layers of `period` steps from `start`, and what passes from one to
/// the next.
struct Layers {
  size_t start = 0, period = 0, count = 0;
  /// Result (step in the layer, number) that the next layer reads -> the value
  /// that the first layer reads in its place.
  llvm::MapVector<std::pair<size_t, unsigned>, Value> carried;

  size_t stepsSaved() const { return period * (count - 1); }
  size_t end() const { return start + period * count; }
};

/// Checks that the steps of a candidate are layers, filling `carried`.
class LayerMatcher {
public:
  LayerMatcher(const Steps &steps, const SymbolicShapes &shapes, Layers &layers)
      : steps(steps), shapes(shapes), layers(layers) {}

  bool match() {
    for (size_t step = 0; step < layers.period; ++step)
      for (unsigned o = 0, e = first(step)->getNumOperands(); o < e; ++o)
        if (!matchOperand(step, o))
          return false;
    return carriedKeepTheirShape() && usesAfterAreCarried();
  }

private:
  Operation *first(size_t step) const { return steps[layers.start + step]; }
  Operation *at(size_t layer, size_t step) const {
    return steps[layers.start + layer * layers.period + step];
  }

  bool matchOperand(size_t step, unsigned operand) {
    Value initial = first(step)->getOperand(operand);
    if (initial.getDefiningOp<GetParameterOp>())
      return matchParameters(step, operand);
    std::optional<Source> expected;
    for (size_t layer = 1; layer < layers.count; ++layer) {
      Source source = sourceOf(layer, at(layer, step)->getOperand(operand));
      if (layer == 1)
        expected = source;
      if (source.kind == Source::Outside && !isBeforeLayers(source.value))
        return false;
      if (!(source == *expected))
        return false;
    }
    Source initialSource = sourceOf(0, initial);
    if (expected->kind != Source::PreviousLayer)
      return initialSource == *expected;
    if (initialSource.kind != Source::Outside || !isBeforeLayers(initial))
      return false;
    auto [it, isNew] =
        layers.carried.insert({{expected->step, expected->result}, initial});
    return isNew || it->second == initial;
  }

  /// The loop stands in the place of the first step.
  bool isBeforeLayers(Value value) const {
    Operation *op = value.getDefiningOp();
    return !op || op->isBeforeInBlock(steps[layers.start]);
  }

  bool matchParameters(size_t step, unsigned operand) {
    for (size_t layer = 0; layer < layers.count; ++layer) {
      auto get =
          at(layer, step)->getOperand(operand).getDefiningOp<GetParameterOp>();
      if (!get || get.getIndex())
        return false;
    }
    return true;
  }

  /// Where an operand comes from, seen from its layer.
  struct Source {
    enum Kind { Outside, SameLayer, PreviousLayer } kind;
    Value value; // outside
    size_t step = 0;
    unsigned result = 0;
    bool operator==(const Source &other) const {
      return kind == other.kind && value == other.value && step == other.step &&
             result == other.result;
    }
  };

  Source sourceOf(size_t layer, Value value) const {
    std::optional<size_t> position = steps.positionOf(value);
    size_t begin = layers.start + layer * layers.period;
    if (position && *position >= begin && *position < begin + layers.period)
      return {Source::SameLayer,
              {},
              *position - begin,
              cast<OpResult>(value).getResultNumber()};
    if (position && *position >= layers.start && *position < begin &&
        *position + layers.period >= begin)
      return {Source::PreviousLayer,
              {},
              *position + layers.period - begin,
              cast<OpResult>(value).getResultNumber()};
    return {Source::Outside, value};
  }

  /// Equal types may hide that a sequence grows with each layer.
  bool carriedKeepTheirShape() const {
    return llvm::all_of(layers.carried, [&](const auto &entry) {
      auto [step, result] = entry.first;
      return shapes.shapeOf(entry.second) ==
             shapes.shapeOf(first(step)->getResult(result));
    });
  }

  /// Nothing behind the loop may read a value that the loop does not carry out.
  bool usesAfterAreCarried() const {
    for (size_t layer = 0; layer < layers.count; ++layer)
      for (size_t step = 0; step < layers.period; ++step)
        for (OpResult result : at(layer, step)->getResults())
          for (Operation *user : result.getUsers()) {
            std::optional<size_t> position = steps.positionOf(user);
            if (position && *position < layers.end())
              continue;
            if (layer + 1 != layers.count ||
                !layers.carried.count({step, result.getResultNumber()}))
              return false;
          }
    return true;
  }

  const Steps &steps;
  const SymbolicShapes &shapes;
  Layers &layers;
};

/// The layers that save most steps; among equals those that carry least.
std::optional<Layers> findLayers(const Steps &steps,
                                 const SymbolicShapes &shapes) {
  std::optional<Layers> best;
  auto isBetter = [&](const Layers &candidate) {
    return !best || candidate.stepsSaved() > best->stepsSaved() ||
           (candidate.stepsSaved() == best->stepsSaved() &&
            candidate.carried.size() < best->carried.size());
  };
  for (size_t period = 1; period <= steps.size() / 2; ++period) {
    size_t run = 0;
    for (size_t i = 0; i + period < steps.size(); ++i) {
      run = steps.isSame(i, i + period) ? run + 1 : 0;
      // Steps [i + 1 - run, i + period] repeat with this period. The first of
      // them may differ in what they read.
      for (size_t count = run / period + 1; count >= 2; --count) {
        Layers layers{i + 1 + period - count * period, period, count, {}};
        if (best && layers.stepsSaved() < best->stepsSaved())
          break;
        if (!LayerMatcher(steps, shapes, layers).match())
          continue;
        if (isBetter(layers))
          best = layers;
        break;
      }
    }
  }
  return best;
}

/// Replaces layers by a loop.
class LayerRoller {
public:
  LayerRoller(const Steps &steps, const Layers &layers)
      : steps(steps), layers(layers), builder(steps[layers.start]) {}

  void roll() {
    Location loc = steps[layers.start]->getLoc();
    auto index = [&](int64_t value) {
      return arith::ConstantIndexOp::create(builder, loc, value);
    };
    SmallVector<Value> inits;
    for (auto &[key, init] : layers.carried)
      inits.push_back(init);
    auto loop = scf::ForOp::create(builder, loc, index(0), index(layers.count),
                                   index(1), inits);
    buildBody(loop);
    for (auto [key, result] :
         llvm::zip_equal(layers.carried, loop.getResults()))
      stepAt(layers.count - 1, key.first.first)
          ->getResult(key.first.second)
          .replaceUsesWithIf(result, [&](OpOperand &use) {
            std::optional<size_t> position = steps.positionOf(use.getOwner());
            return !position || *position >= layers.end();
          });
    for (size_t i = layers.end(); i-- > layers.start;)
      steps[i]->erase();
  }

private:
  Operation *stepAt(size_t layer, size_t step) const {
    return steps[layers.start + layer * layers.period + step];
  }

  void buildBody(scf::ForOp loop) {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = loop.getBody();
    if (body->mightHaveTerminator())
      body->getTerminator()->erase();
    builder.setInsertionPointToEnd(body);
    IRMapping mapping;
    for (size_t step = 0; step < layers.period; ++step) {
      Operation *op = stepAt(0, step);
      SmallVector<Value> operands;
      for (unsigned o = 0; o < op->getNumOperands(); ++o)
        operands.push_back(operandInLoop(step, o, loop, mapping));
      Operation *clone = builder.clone(*op);
      clone->setOperands(operands);
      for (auto [from, to] :
           llvm::zip_equal(op->getResults(), clone->getResults()))
        mapping.map(from, to);
    }
    SmallVector<Value> yields;
    for (auto &[key, init] : layers.carried)
      yields.push_back(
          mapping.lookup(stepAt(0, key.first)->getResult(key.second)));
    scf::YieldOp::create(builder, loop.getLoc(), yields);
  }

  Value operandInLoop(size_t step, unsigned number, scf::ForOp loop,
                      IRMapping &mapping) {
    Value value = stepAt(0, step)->getOperand(number);
    if (auto get = value.getDefiningOp<GetParameterOp>())
      return parameterInLoop(step, number, get, loop);
    if (Value mapped = mapping.lookupOrNull(value))
      return mapped;
    // The first layer reads an initial value, the second tells which result
    // of its predecessor stands there afterwards.
    Value next = stepAt(1, step)->getOperand(number);
    for (auto [i, entry] : llvm::enumerate(layers.carried)) {
      auto [source, result] = entry.first;
      if (next == stepAt(0, source)->getResult(result))
        return loop.getRegionIterArgs()[i];
    }
    return value;
  }

  Value parameterInLoop(size_t step, unsigned number, GetParameterOp get,
                        scf::ForOp loop) {
    SmallVector<Attribute> symbols;
    for (size_t layer = 0; layer < layers.count; ++layer)
      symbols.push_back(stepAt(layer, step)
                            ->getOperand(number)
                            .getDefiningOp<GetParameterOp>()
                            .getParameters()[0]);
    bool shared = llvm::all_equal(symbols);
    if (shared)
      symbols.resize(1);
    return GetParameterOp::create(builder, get.getLoc(), get.getType(),
                                  builder.getArrayAttr(symbols),
                                  shared ? Value() : loop.getInductionVar());
  }

  const Steps &steps;
  const Layers &layers;
  OpBuilder builder;
};

struct RollLayers : attn::impl::RollLayersBase<RollLayers> {
  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> models =
        modelFunctions(getOperation());
    if (failed(models))
      return signalPassFailure();
    for (func::FuncOp model : *models)
      if (failed(rollAll(model)))
        return signalPassFailure();
  }

  static LogicalResult rollAll(func::FuncOp model) {
    Block &block = model.getBody().front();
    while (true) {
      FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model);
      if (failed(shapes))
        return failure();
      Steps steps(block);
      std::optional<Layers> layers = findLayers(steps, *shapes);
      if (!layers)
        break;
      LayerRoller(steps, *layers).roll();
    }
    eraseDeadOperations(block);
    return success();
  }
};

} // namespace
