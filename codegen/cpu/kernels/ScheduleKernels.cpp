// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// kernel on tensors => tiles on an argument block.

#include "codegen/cpu/KernelAbi.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/TargetPass.h"
#include "codegen/cpu/kernels/KernelEmitter.h"
#include "dialect/AttnDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Earlier ones win: a kernel that holds a linear and a map is a linear.
static const KernelEmitter *const kEmitters[] = {
    &linearEmitter,    &attentionEmitter, &appendEmitter,    &layerNormEmitter,
    &rmsNormEmitter,   &softmaxEmitter,   &embeddingEmitter, &matmulEmitter,
    &tokenRowsEmitter, &concatEmitter,    &sliceEmitter,     &mapEmitter,
};

namespace {
enum class TilesFunction { Task, Scratch };
} // namespace

/// An empty function over an argument block, in the kernel's place.
static func::FuncOp createTilesFunction(func::FuncOp kernel, const Twine &name,
                                        TilesFunction kind) {
  OpBuilder builder(kernel);
  Type args = LLVM::LLVMPointerType::get(builder.getContext());
  Type index = builder.getIndexType();
  auto type = kind == TilesFunction::Scratch
                  ? builder.getFunctionType({args}, {index})
                  : builder.getFunctionType({args, index}, {});
  auto tiles = func::FuncOp::create(builder, kernel.getLoc(), name.str(), type);
  tiles->setAttr(kTilesAttr, builder.getUnitAttr());
  tiles.addEntryBlock();
  return tiles;
}

static LogicalResult emitScratchFunction(func::FuncOp kernel, Operation *op,
                                         const KernelEmitter &emitter,
                                         const TargetSpec &target) {
  func::FuncOp function = createTilesFunction(
      kernel, scratchFunctionName(kernel.getName()), TilesFunction::Scratch);
  TileBuilder b(kernel, function, target);
  Value bytes = emitter.scratchBytes ? emitter.scratchBytes(b, op) : b.idx(0);
  if (!bytes)
    return failure();
  // Slots' areas stay aligned to cache lines.
  func::ReturnOp::create(b, b.mul(b.ceilDiv(bytes, 64), 64));
  return success();
}

static LogicalResult emitFinishFunction(func::FuncOp kernel, Operation *op,
                                        const KernelEmitter &emitter,
                                        const TargetSpec &target) {
  if (!emitter.isLeft || !emitter.isLeft(op))
    return success();
  func::FuncOp function = createTilesFunction(
      kernel, finishFunctionName(kernel.getName()), TilesFunction::Task);
  TileBuilder b(kernel, function, target);
  if (failed(emitter.finish(b, op)))
    return failure();
  func::ReturnOp::create(b);
  return success();
}

static LogicalResult scheduleWith(const KernelEmitter &emitter, Operation *op,
                                  func::FuncOp kernel,
                                  const TargetSpec &target) {
  if (failed(emitScratchFunction(kernel, op, emitter, target)) ||
      failed(emitFinishFunction(kernel, op, emitter, target)))
    return failure();
  func::FuncOp tiles = createTilesFunction(kernel, kernel.getName() + ".tiles",
                                           TilesFunction::Task);
  TileBuilder b(kernel, tiles, target);
  if (failed(emitter.emit(b, op)))
    return failure();
  func::ReturnOp::create(b);
  StringAttr name = kernel.getNameAttr();
  kernel.erase();
  tiles.setName(name);
  return success();
}

/// Leaves the module as it was where the kernel is refused.
static LogicalResult scheduleKernel(func::FuncOp kernel,
                                    const TargetSpec &target) {
  for (const KernelEmitter *emitter : kEmitters) {
    Operation *op = emitter->match(kernel);
    if (!op)
      continue;
    // Functions of the kernel are put in front of it.
    Operation *before = kernel->getPrevNode();
    LogicalResult result = scheduleWith(*emitter, op, kernel, target);
    while (failed(result) && kernel->getPrevNode() != before)
      kernel->getPrevNode()->erase();
    return result;
  }
  return kernel.emitError("kernel holds no operation that has a CPU schedule");
}

namespace {
struct ScheduleKernels : TargetPass<ScheduleKernels> {
  using TargetPass::TargetPass;
  StringRef getArgument() const final { return "attn-cpu-schedule-kernels"; }
  StringRef getDescription() const final {
    return "kernel on tensors => tiles on an argument block";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<AttnCpuDialect, arith::ArithDialect, math::MathDialect,
                    memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  }
  void runOnOperation() final {
    if (failed(resolveTarget()))
      return signalPassFailure();
    SmallVector<func::FuncOp> kernels;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(kKernelAttr))
        kernels.push_back(function);
    for (func::FuncOp kernel : kernels)
      if (failed(scheduleKernel(kernel, *target)))
        return signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass>
attn::cpu::createScheduleKernelsPass(const TargetSpec &target) {
  return std::make_unique<ScheduleKernels>(target);
}

void attn::cpu::registerScheduleKernelsPass() {
  PassRegistration<ScheduleKernels>();
}
