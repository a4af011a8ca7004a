// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the passes over whole models have in common.

#include "passes/ModelFunctions.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace attn;

/// Tensors of numbers: index and other types have no size in memory.
static LogicalResult verifyType(func::FuncOp function, Twine what, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.getElementType().isIntOrFloat())
    return success();
  return function.emitError("expects ")
         << what << " to be a ranked tensor of numbers, but got " << type;
}

LogicalResult attn::verifyModelFunction(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("expects a model of one block, but got ")
           << function.getBody().getBlocks().size();
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    if (failed(verifyType(function, "argument " + Twine(i), type)))
      return failure();
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (failed(verifyType(function, "result " + Twine(i), type)))
      return failure();
  Operation &last = function.getBody().front().back();
  if (!isa<func::ReturnOp>(last))
    return last.emitError("expects a model to end in func.return");
  return success();
}

FailureOr<SmallVector<func::FuncOp>> attn::modelFunctions(ModuleOp module) {
  SmallVector<func::FuncOp> models;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isDeclaration() || function->hasAttr(kKernelAttr))
      continue;
    if (failed(verifyModelFunction(function)))
      return failure();
    models.push_back(function);
  }
  return models;
}

static void appendOperations(Block &block,
                             SmallVectorImpl<Operation *> &operations) {
  for (Operation &op : block) {
    operations.push_back(&op);
    if (auto scan = dyn_cast<ScanOp>(op))
      appendOperations(scan.getBody().front(), operations);
  }
}

SmallVector<Operation *> attn::modelOperations(func::FuncOp model) {
  SmallVector<Operation *> operations;
  appendOperations(model.getBody().front(), operations);
  return operations;
}

bool attn::isInModel(Operation *op, func::FuncOp model) {
  Operation *parent = op->getParentOp();
  while (isa_and_nonnull<ScanOp>(parent))
    parent = parent->getParentOp();
  return parent == model;
}

bool attn::isView(Operation *op) {
  return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                         tensor::CastOp>(op);
}

bool attn::isInPlace(Operation *op) {
  return isa_and_nonnull<LaunchOp>(op) && op->hasAttr(kInPlaceAttr);
}

Value attn::memoryOf(Value value) {
  while (isView(value.getDefiningOp()) || isInPlace(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

void attn::eraseDeadOperations(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isOpTriviallyDead(&op))
      op.erase();
    else if (auto scan = dyn_cast<ScanOp>(op))
      eraseDeadOperations(scan.getBody().front());
  }
}
