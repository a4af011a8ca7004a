// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves expressions over weights out of the model, to be computed when
// compiling.

#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace attn {
#define GEN_PASS_DEF_HOISTPARAMETERS
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

/// Values of a function that depend on nothing but weights and constants.
class ConstantValues {
public:
  explicit ConstantValues(func::FuncOp func) {
    func.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op->getParentOp() == func && isConstant(op))
        operations.insert(op);
    });
  }

  bool contains(Value value) const {
    return operations.contains(value.getDefiningOp());
  }

private:
  bool isConstant(Operation *op) const {
    if (op->getNumResults() == 0 || isa<GetParameterOp>(op) || !isPure(op) ||
        !llvm::all_of(op->getResultTypes(), hasStaticValue))
      return false;
    // Parameters are tensors: a number taken out of one stays in the model.
    bool givesTensors = llvm::all_of(op->getResultTypes(), isTensor);
    llvm::SetVector<Value> values(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), values);
    return llvm::all_of(values, [&](Value value) {
      return contains(value) && (givesTensors || !isTensor(value.getType()));
    });
  }
  static bool isTensor(Type type) { return isa<RankedTensorType>(type); }
  static bool hasStaticValue(Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor ? tensor.hasStaticShape() : type.isIntOrIndexOrFloat();
  }

  llvm::DenseSet<Operation *> operations;
};

/// Clones expressions over weights into parameters, one for each expression:
/// two functions of a module read the same weights.
class ParameterBuilder {
public:
  explicit ParameterBuilder(ModuleOp module)
      : symbols(module), builder(module.getContext()) {}

  FlatSymbolRefAttr get(Value value) {
    auto [it, isNew] = parameters.try_emplace(value);
    if (isNew)
      it->second = build(value);
    return it->second;
  }

private:
  FlatSymbolRefAttr build(Value value) {
    Location loc = value.getLoc();
    std::string name = "p" + std::to_string(number);
    builder.clearInsertionPoint();
    auto parameter =
        ParameterOp::create(builder, loc, builder.getStringAttr(name),
                            TypeAttr::get(value.getType()), Attribute());
    symbols.insert(parameter);
    builder.createBlock(&parameter.getBody());

    llvm::SetVector<Operation *> expression;
    BackwardSliceOptions options;
    options.omitUsesFromAbove = false;
    options.inclusive = true;
    if (failed(getBackwardSlice(value, &expression, options)))
      llvm_unreachable("constant expressions stand in one block");
    IRMapping mapping;
    for (Operation *op : expression)
      builder.clone(*op, mapping);
    YieldOp::create(builder, loc, mapping.lookup(value));
    return mergeEqual(parameter);
  }

  /// The name of an earlier parameter of the same expression, or its own.
  FlatSymbolRefAttr mergeEqual(ParameterOp parameter) {
    llvm::hash_code hash = hash_value(Type(parameter.getType()));
    for (Operation &op : parameter.getBody().front())
      hash = llvm::hash_combine(hash,
                                OperationEquivalence::computeHash(
                                    &op, OperationEquivalence::ignoreHashValue,
                                    OperationEquivalence::ignoreHashValue,
                                    OperationEquivalence::IgnoreLocations));
    for (ParameterOp other : built[hash]) {
      if (other.getType() != parameter.getType() ||
          !OperationEquivalence::isRegionEquivalentTo(
              &other.getBody(), &parameter.getBody(),
              OperationEquivalence::IgnoreLocations))
        continue;
      symbols.erase(parameter);
      return FlatSymbolRefAttr::get(other.getSymNameAttr());
    }
    ++number;
    built[hash].push_back(parameter);
    return FlatSymbolRefAttr::get(parameter.getSymNameAttr());
  }

  SymbolTable symbols;
  OpBuilder builder;
  llvm::DenseMap<Value, FlatSymbolRefAttr> parameters;
  llvm::DenseMap<size_t, SmallVector<ParameterOp, 1>> built;
  unsigned number = 0;
};

/// True for operands that only give a destination its shape or its start.
bool isDestination(OpOperand &use) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(use.getOwner());
  return linalgOp && linalgOp.isDpsInit(&use) &&
         isa_and_nonnull<tensor::EmptyOp, linalg::FillOp>(
             use.get().getDefiningOp());
}

struct HoistParameters : attn::impl::HoistParametersBase<HoistParameters> {
  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> models =
        modelFunctions(getOperation());
    if (failed(models))
      return signalPassFailure();
    ParameterBuilder parameters(getOperation());
    for (func::FuncOp model : *models)
      hoistFrom(model, parameters);
  }

  static void hoistFrom(func::FuncOp func, ParameterBuilder &parameters) {
    // What is constant depends on no step.
    func.walk([](ScanOp scan) { moveLoopInvariantCode(scan); });
    ConstantValues constants(func);
    llvm::MapVector<Value, SmallVector<OpOperand *>> uses;
    Block &block = func.getBody().front();
    for (Operation *op : modelOperations(func)) {
      Operation *outer = block.findAncestorOpInBlock(*op);
      if (outer->getNumResults() > 0 && constants.contains(outer->getResult(0)))
        continue;
      for (OpOperand &use : op->getOpOperands())
        if (isa<RankedTensorType>(use.get().getType()) &&
            constants.contains(use.get()) && !isDestination(use))
          uses[use.get()].push_back(&use);
    }
    OpBuilder builder(func.getContext());
    for (auto &[value, operands] : uses) {
      builder.setInsertionPoint(
          block.findAncestorOpInBlock(*operands.front()->getOwner()));
      auto get = GetParameterOp::create(
          builder, value.getLoc(), value.getType(),
          builder.getArrayAttr(parameters.get(value)), Value());
      for (OpOperand *operand : operands)
        operand->set(get.getResult());
    }
    eraseDeadOperations(block);
  }
};

} // namespace
