// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every intermediate tensor of a model a buffer; buffers are shared by
// tensors that are never alive together.

#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "passes/plan/BufferTable.h"
#include "passes/plan/Copier.h"
#include "passes/plan/InPlace.h"
#include "passes/plan/Lifetimes.h"
#include "passes/plan/SymbolicShapes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExpr.h"

namespace attn {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

class Planner {
public:
  Planner(func::FuncOp func, Copier &copier) : func(func), copier(copier) {}

  LogicalResult run() {
    if (failed(verifyOperations()))
      return failure();
    copyOutputs();
    placeSteps();
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(func);
    // A copy may itself write what a later one reads, where values swap places.
    while (succeeded(shapes) && copyOverlappingCarries(*shapes))
      shapes = SymbolicShapes::compute(func);
    if (failed(shapes))
      return failure();
    Lifetimes lifetimes(func);
    Overwritable overwritable = findOverwritable(*shapes);
    BufferTable buffers(overwritable);
    // A scan before its body: what is computed in place of its results has
    // their buffers.
    WalkResult walk = func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      auto scan = dyn_cast<ScanOp>(op);
      auto launch = dyn_cast<LaunchOp>(op);
      if (launch)
        annotateShapes(launch, *shapes);
      return WalkResult(scan ? assignStacked(scan, *shapes, lifetimes, buffers)
                        : launch
                            ? assignResults(launch, *shapes, lifetimes, buffers)
                            : success());
    });
    if (walk.wasInterrupted())
      return failure();
    annotate(*shapes, buffers.get());
    return success();
  }

private:
  static FailureOr<DimExpr> bytesOf(Value value, const SymbolicShapes &shapes) {
    FailureOr<DimExpr> elements = shapes.elementsOf(value);
    if (failed(elements))
      return failure();
    Type element = cast<RankedTensorType>(value.getType()).getElementType();
    if (!element.isIntOrFloat())
      return emitError(value.getLoc(), "expects a tensor of numbers, but got ")
             << value.getType();
    std::optional<DimExpr> bytes = DimExpr::multiply(
        *elements,
        DimExpr::constant((element.getIntOrFloatBitWidth() + 7) / 8));
    if (!bytes)
      return emitError(value.getLoc(), "has more bytes than 64 bits count");
    return *bytes;
  }

  static void setNumbers(Operation *op, ArrayRef<int64_t> numbers) {
    op->setAttr(kBuffersAttr,
                DenseI64ArrayAttr::get(op->getContext(), numbers));
  }

  LogicalResult assignResults(LaunchOp launch, const SymbolicShapes &shapes,
                              const Lifetimes &lifetimes,
                              BufferTable &buffers) {
    SmallVector<int64_t> numbers;
    for (Value result : launch.getOutputs()) {
      if (isInPlace(launch)) {
        numbers.push_back(-1 - static_cast<int64_t>(func.getNumResults()));
        continue;
      }
      if (auto stack = stacks.find(result); stack != stacks.end()) {
        numbers.push_back(numberOf(stack->second));
        continue;
      }
      auto output = outputs.find(result);
      if (output != outputs.end()) {
        numbers.push_back(-1 - output->second);
        continue;
      }
      FailureOr<DimExpr> bytes = bytesOf(result, shapes);
      if (failed(bytes))
        return failure();
      numbers.push_back(buffers.assign({result, *bytes, lifetimes.of(result)}));
    }
    setNumbers(launch, numbers);
    return success();
  }

  /// Stacked results are in memory while the scan fills them.
  LogicalResult assignStacked(ScanOp scan, const SymbolicShapes &shapes,
                              const Lifetimes &lifetimes,
                              BufferTable &buffers) {
    SmallVector<int64_t> numbers;
    for (auto [result, entry] :
         llvm::zip_equal(scan.getStacked(), scan.getStepOutputs())) {
      auto output = outputs.find(result);
      if (output != outputs.end()) {
        numbers.push_back(-1 - output->second);
        continue;
      }
      FailureOr<DimExpr> bytes = bytesOf(result, shapes);
      if (failed(bytes))
        return failure();
      Interval interval =
          lifetimes.ofStacked(cast<OpResult>(result), memoryOf(entry.get()));
      numbers.push_back(buffers.assign({result, *bytes, {interval}}));
    }
    setNumbers(scan, numbers);
    return success();
  }

  /// The buffer of a stacked result that has one.
  static int64_t numberOf(OpResult stacked) {
    auto scan = cast<ScanOp>(stacked.getOwner());
    auto numbers = scan->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    return numbers[stacked.getResultNumber() - scan.getNumCarried()];
  }

  /// What a scan stacks is computed in its place if one launch of the body
  /// defines it, for one result; otherwise it is copied there.
  void placeSteps() {
    func.walk([&](ScanOp scan) {
      for (auto [result, entry] :
           llvm::zip_equal(scan.getStacked(), scan.getStepOutputs())) {
        Value memory = memoryOf(entry.get());
        Operation *launch = memory.getDefiningOp<LaunchOp>();
        if (!launch || launch->getBlock() != &scan.getBody().front() ||
            stacks.count(memory)) {
          OpBuilder builder(entry.getOwner());
          entry.set(copier.copy(builder, entry.get()));
          memory = entry.get();
        }
        stacks[memory] = cast<OpResult>(result);
      }
    });
  }

  /// Whether one output is computed in this memory: by one launch outside every
  /// loop, or by a scan that stacks it.
  static bool isComputedOnce(Value memory) {
    auto result = dyn_cast<OpResult>(memory);
    auto scan = memory.getDefiningOp<ScanOp>();
    return memory.getDefiningOp<LaunchOp>() ||
           (scan && result.getResultNumber() >= scan.getNumCarried());
  }

  /// A result is computed in the caller's memory where it can be; otherwise it
  /// is copied there.
  void copyOutputs() {
    auto terminator =
        cast<func::ReturnOp>(func.getBody().front().getTerminator());
    OpBuilder builder(terminator);
    for (OpOperand &operand : terminator->getOpOperands()) {
      Value memory = memoryOf(operand.get());
      if (!isComputedOnce(memory) || outputs.count(memory)) {
        operand.set(copier.copy(builder, operand.get()));
        memory = operand.get();
      }
      outputs[memory] = operand.getOperandNumber();
    }
  }

  /// The lifetimes below know launches, reshapes, scans, and loops that run at
  /// least once.
  LogicalResult verifyOperations() {
    WalkResult result = func.walk([&](Operation *op) -> WalkResult {
      // Arguments are in memory all the time.
      if (isInPlace(op) &&
          !llvm::is_contained(func.getArguments(), memoryOf(op->getResult(0))))
        return op->emitError("expects to write over an argument of the model");
      if (auto loop = dyn_cast<scf::ForOp>(op)) {
        std::optional<APInt> count = loop.getStaticTripCount();
        if (count && count->isStrictlyPositive() &&
            llvm::all_of(loop.getResultTypes(),
                         llvm::IsaPred<RankedTensorType>))
          return WalkResult::advance();
        return loop.emitError("expects a constant number of layers, at least "
                              "one, that carry tensors");
      }
      bool isKnown = op == func ||
                     isa<LaunchOp, ScanOp, YieldOp, GetParameterOp,
                         func::ReturnOp, scf::YieldOp>(op) ||
                     isView(op);
      if (isKnown ||
          (isPure(op) && op->getNumRegions() == 0 &&
           llvm::none_of(op->getResultTypes(), llvm::IsaPred<TensorType>)))
        return WalkResult::advance();
      return op->emitError("is not part of a kernel; run "
                           "attn-outline-kernels");
    });
    return failure(result.wasInterrupted());
  }

  Overwritable findOverwritable(const SymbolicShapes &shapes) {
    Overwritable overwritable;
    func.walk([&](LaunchOp launch) {
      for (OpResult result : launch->getResults())
        overwritable[result] = overwritableMemories(result, shapes);
    });
    return overwritable;
  }

  /// Whether `value`, which the loop yields, is written while its predecessor,
  /// last read at `lastRead`, is still needed. The launch that reads it last
  /// may take its place.
  bool overlapsPredecessor(Value value, int64_t lastRead,
                           const Lifetimes &lifetimes,
                           const SymbolicShapes &shapes) {
    auto result = cast<OpResult>(value);
    int64_t written = lifetimes.positionOf(result.getOwner());
    return written < lastRead ||
           (written == lastRead &&
            !llvm::is_contained(overwritableMemories(result, shapes), value));
  }

  /// Whether what the loop yields is not in memory of its own that is free by
  /// then. The entry of a stacked result is: each step has another.
  bool overlapsCarry(OpOperand &yielded, LoopLikeOpInterface loop,
                     const Lifetimes &lifetimes, const SymbolicShapes &shapes) {
    Value memory = memoryOf(yielded.get());
    if (stacks.count(memory))
      return false;
    BlockArgument argument =
        loop.getRegionIterArgs()[yielded.getOperandNumber()];
    Block *body = argument.getOwner();
    int64_t lastRead =
        lifetimes.lastRead(argument, lifetimes.positionOf(loop), body);
    Operation *producer = memory.getDefiningOp();
    return !isa_and_nonnull<LaunchOp>(producer) ||
           producer->getBlock() != body ||
           overlapsPredecessor(memory, lastRead, lifetimes, shapes);
  }

  /// A carried value may not be written while its predecessor is still read.
  /// Returns whether there was one.
  bool copyOverlappingCarries(const SymbolicShapes &shapes) {
    Lifetimes lifetimes(func);
    SmallVector<OpOperand *> overlapping;
    func.walk([&](LoopLikeOpInterface loop) {
      MutableArrayRef<OpOperand> yielded = *loop.getYieldedValuesMutable();
      for (OpOperand &operand : yielded)
        if (overlapsCarry(operand, loop, lifetimes, shapes))
          overlapping.push_back(&operand);
    });
    for (OpOperand *operand : overlapping) {
      OpBuilder builder(operand->getOwner());
      operand->set(copier.copy(builder, operand->get()));
    }
    return !overlapping.empty();
  }

  /// Kernels are soon no longer functions on tensors that shapes could be
  /// followed through.
  static void annotateShapes(LaunchOp launch, const SymbolicShapes &shapes) {
    MLIRContext *context = launch.getContext();
    SmallVector<Attribute> maps;
    for (Value result : launch.getOutputs()) {
      SmallVector<AffineExpr> dims;
      for (const DimExpr &dim : shapes.shapeOf(result))
        dims.push_back(dim.toAffine(context));
      maps.push_back(AffineMapAttr::get(
          AffineMap::get(0, shapes.symbols().size(), dims, context)));
    }
    launch->setAttr(kShapesAttr, ArrayAttr::get(context, maps));
  }

  void annotate(const SymbolicShapes &shapes, ArrayRef<PlannedBuffer> buffers) {
    MLIRContext *context = func.getContext();
    Builder builder(context);
    SmallVector<Attribute> bytes;
    for (const PlannedBuffer &buffer : buffers)
      bytes.push_back(AffineMapAttr::get(AffineMap::get(
          0, shapes.symbols().size(), buffer.bytes.toAffine(context))));
    func->setAttr(kBufferBytesAttr, builder.getArrayAttr(bytes));
    SmallVector<StringRef> names(shapes.symbols().begin(),
                                 shapes.symbols().end());
    func->setAttr(kSymbolsAttr, builder.getStrArrayAttr(names));
  }

  func::FuncOp func;
  Copier &copier;
  llvm::DenseMap<Value, int64_t> outputs;
  /// What launches compute in place of an entry of a stacked result.
  llvm::DenseMap<Value, OpResult> stacks;
};

struct PlanMemory : attn::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    Copier copier(getOperation());
    FailureOr<SmallVector<func::FuncOp>> models =
        modelFunctions(getOperation());
    if (failed(models))
      return signalPassFailure();
    for (func::FuncOp func : *models)
      if (failed(Planner(func, copier).run()))
        return signalPassFailure();
  }
};

} // namespace
