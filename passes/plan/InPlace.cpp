// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which operands' memory a launch may write its results over.

#include "passes/plan/InPlace.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Elementwise.h"
#include "passes/ModelFunctions.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;

/// The one use that reads elements; a kernel asks for sizes besides.
static OpOperand *findOnlyRead(Value argument) {
  OpOperand *found = nullptr;
  for (OpOperand &use : argument.getUses()) {
    if (isa<tensor::DimOp>(use.getOwner()))
      continue;
    if (found)
      return nullptr;
    found = &use;
  }
  return found;
}

/// A capture of a linear that one epilogue reads where it stores.
static bool isReadInPlace(LinearOp linear, OpOperand *use, OpResult result) {
  MutableOperandRange captures = linear.getCapturesMutable();
  auto found = llvm::find_if(
      captures, [&](OpOperand &capture) { return &capture == use; });
  if (found == captures.end())
    return false;
  unsigned capture = found - captures.begin();
  if (!cast<AffineMapAttr>((*linear.getCaptureMaps())[capture])
           .getValue()
           .isIdentity())
    return false;
  for (auto [number, epilogue] : llvm::enumerate(linear.getEpilogues()))
    if (number != result.getResultNumber() &&
        !epilogue.getArgument(1 + capture).use_empty())
      return false;
  return true;
}

static bool isReadInPlace(OpOperand *use, OpResult result) {
  Operation *op = use->getOwner();
  if (op != result.getOwner())
    return false;
  if (auto linear = dyn_cast<LinearOp>(op))
    return isReadInPlace(linear, use, result);
  auto map = dyn_cast<linalg::GenericOp>(op);
  return map && isElementwise(map) && map.isDpsInput(use) &&
         getReadMap(map, use).isIdentity();
}

SmallVector<unsigned> attn::overwritableArguments(func::FuncOp kernel,
                                                  unsigned number) {
  SmallVector<unsigned> found;
  if (!kernel || !kernel.getBody().hasOneBlock())
    return found;
  Block &body = kernel.getBody().front();
  auto result = dyn_cast<OpResult>(body.getTerminator()->getOperand(number));
  if (!result)
    return found;
  for (BlockArgument argument : body.getArguments())
    if (OpOperand *use = findOnlyRead(argument);
        use && argument.getType() == result.getType() &&
        isReadInPlace(use, result))
      found.push_back(argument.getArgNumber());
  return found;
}

/// Where a value of a loop is: one that it carries, or one step of what a scan
/// goes over. False for any other value, and for what a scan stacks.
static bool pushSources(Value value, SmallVectorImpl<Value> &sources) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto loop = dyn_cast_if_present<LoopLikeOpInterface>(
      argument ? argument.getOwner()->getParentOp() : value.getDefiningOp());
  if (!loop)
    return false;
  BlockArgument carried =
      argument ? argument
               : loop.getTiedLoopRegionIterArg(cast<OpResult>(value));
  OpOperand *initial = carried ? loop.getTiedLoopInit(carried) : nullptr;
  if (initial) {
    sources.push_back(initial->get());
    sources.push_back(loop.getTiedLoopYieldedValue(carried)->get());
    return true;
  }
  auto scan = dyn_cast<ScanOp>(loop.getOperation());
  if (!scan || !argument)
    return false;
  sources.push_back(
      scan.getInputs()[argument.getArgNumber() - scan.getNumCarried()]);
  return true;
}

SmallVector<Value> attn::memoriesOf(Value value) {
  llvm::SetVector<Value> seen;
  SmallVector<Value> worklist{value}, memories;
  while (!worklist.empty()) {
    Value memory = memoryOf(worklist.pop_back_val());
    if (!seen.insert(memory))
      continue;
    if (!pushSources(memory, worklist))
      memories.push_back(memory);
  }
  return memories;
}

SmallVector<Value> attn::overwritableMemories(OpResult result,
                                              const SymbolicShapes &shapes) {
  auto launch = cast<LaunchOp>(result.getOwner());
  auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      launch, launch.getKernelAttr());
  SmallVector<Value> found;
  for (unsigned number :
       overwritableArguments(kernel, result.getResultNumber())) {
    Value operand = launch.getInputs()[number];
    SmallVector<Value> memories = memoriesOf(operand);
    auto sharesMemory = [&](unsigned other) {
      return other != number &&
             llvm::any_of(memoriesOf(launch.getInputs()[other]),
                          [&](Value memory) {
                            return llvm::is_contained(memories, memory);
                          });
    };
    if (shapes.shapeOf(operand) == shapes.shapeOf(result) &&
        llvm::none_of(llvm::seq<unsigned>(launch.getInputs().size()),
                      sharesMemory))
      llvm::append_range(found, memories);
  }
  return found;
}
