// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// tiles => LLVM dialect.

#include "codegen/cpu/Passes.h"
#include "codegen/cpu/TargetPass.h"
#include "codegen/cpu/tiles/AttnCpuOps.h"
#include "codegen/cpu/tiles/ExpandMath.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// Builds LLVM values for the words of an argument block.
struct BlockReader {
  PatternRewriter &b;
  Location loc;
  Value args;

  Value word(int64_t index, Type type) {
    Type i64 = b.getI64Type();
    Value address = LLVM::GEPOp::create(b, loc, args.getType(), i64, args,
                                        ArrayRef<LLVM::GEPArg>{int32_t(index)});
    return LLVM::LoadOp::create(b, loc, type, address);
  }
  Value integer(int64_t index) { return word(index, b.getI64Type()); }
  Value pointer(int64_t index) { return word(index, args.getType()); }
  Value asInteger(Value index) {
    return UnrealizedConversionCastOp::create(b, loc, b.getI64Type(), index)
        .getResult(0);
  }
  Value asIndex(Value integer) {
    return UnrealizedConversionCastOp::create(b, loc, b.getIndexType(), integer)
        .getResult(0);
  }

  /// A dense buffer at `pointer`; `sizes` are those of dynamic dimensions.
  Value buffer(Value pointer, MemRefType type, ArrayRef<Value> sizes) {
    LLVMTypeConverter converter(b.getContext());
    auto descriptor =
        MemRefDescriptor::poison(b, loc, converter.convertType(type));
    descriptor.setAllocatedPtr(b, loc, pointer);
    descriptor.setAlignedPtr(b, loc, pointer);
    descriptor.setConstantOffset(b, loc, 0);
    Value stride = constant(1);
    for (int64_t d = type.getRank() - 1, next = sizes.size(); d >= 0; --d) {
      Value size =
          type.isDynamicDim(d) ? sizes[--next] : constant(type.getDimSize(d));
      descriptor.setSize(b, loc, d, size);
      descriptor.setStride(b, loc, d, stride);
      if (d > 0)
        stride = b.createOrFold<LLVM::MulOp>(loc, stride, size);
    }
    return UnrealizedConversionCastOp::create(b, loc, type, Value(descriptor))
        .getResult(0);
  }
  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
  }
};

struct LowerOperand : OpRewritePattern<OperandOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(OperandOp op,
                                PatternRewriter &rewriter) const override {
    BlockReader read{rewriter, op.getLoc(), op.getArgs()};
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> sizes;
    for (int64_t d = 0; d < int64_t(type.getNumDynamicDims()); ++d)
      sizes.push_back(read.integer(op.getWord() + 1 + d));
    rewriter.replaceOp(op,
                       read.buffer(read.pointer(op.getWord()), type, sizes));
    return success();
  }
};

struct LowerSlots : OpRewritePattern<SlotsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SlotsOp op,
                                PatternRewriter &rewriter) const override {
    BlockReader read{rewriter, op.getLoc(), op.getArgs()};
    rewriter.replaceOp(op, read.asIndex(read.integer(0)));
    return success();
  }
};

struct LowerScratch : OpRewritePattern<ScratchOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScratchOp op,
                                PatternRewriter &rewriter) const override {
    BlockReader read{rewriter, op.getLoc(), op.getArgs()};
    Value bytes = LLVM::MulOp::create(rewriter, op.getLoc(), read.integer(2),
                                      read.asInteger(op.getSlot()));
    bytes = LLVM::AddOp::create(rewriter, op.getLoc(), bytes,
                                read.asInteger(op.getOffset()));
    Value address = LLVM::GEPOp::create(
        rewriter, op.getLoc(), op.getArgs().getType(), rewriter.getI8Type(),
        read.pointer(1), ArrayRef<LLVM::GEPArg>{bytes});
    SmallVector<Value> sizes;
    for (Value size : op.getSizes())
      sizes.push_back(read.asInteger(size));
    rewriter.replaceOp(
        op, read.buffer(address, cast<MemRefType>(op.getType()), sizes));
    return success();
  }
};

/// Operands, scratch and mathematics to what upstream conversions know.
struct ExpandTiles : PassWrapper<ExpandTiles, OperationPass<func::FuncOp>> {
  explicit ExpandTiles(const TargetSpec &target) : target(target) {}
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandTiles)
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<LLVM::LLVMDialect>();
  }
  void runOnOperation() final {
    if (failed(expandMath(getOperation(), target)))
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerOperand, LowerSlots, LowerScratch>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
  const TargetSpec &target;
};

struct LowerTiles : TargetPass<LowerTiles> {
  using TargetPass::TargetPass;
  StringRef getArgument() const final { return "attn-cpu-lower-tiles"; }
  StringRef getDescription() const final { return "tiles => LLVM dialect"; }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<AttnCpuDialect, LLVM::LLVMDialect, affine::AffineDialect,
                    arith::ArithDialect, cf::ControlFlowDialect,
                    math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  }
  void runOnOperation() final;
};

} // namespace

static void buildPipeline(OpPassManager &pm, const TargetSpec &target) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(std::make_unique<ExpandTiles>(target));
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCSEPass());
}

/// What LLVM must know of the target in each function.
static void setTargetAttributes(LLVM::LLVMFuncOp function,
                                const TargetSpec &target) {
  MLIRContext *context = function.getContext();
  function.setTargetCpu(target.cpu);
  function.setTargetFeaturesAttr(
      LLVM::TargetFeaturesAttr::get(context, target.features));
  auto width = StringAttr::get(context, Twine(target.lanes * 32));
  auto key = StringAttr::get(context, "prefer-vector-width");
  function.setPassthroughAttr(
      ArrayAttr::get(context, {ArrayAttr::get(context, {key, width}),
                               StringAttr::get(context, "nounwind")}));
}

void LowerTiles::runOnOperation() {
  if (failed(resolveTarget()))
    return signalPassFailure();
  // Upstream conversions take a module whole: give them one with tiles only.
  ModuleOp module = getOperation();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto tiles = ModuleOp::create(builder, module.getLoc());
  for (auto function :
       llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (function->hasAttr(kTilesAttr)) {
      function->removeAttr(kTilesAttr);
      function->moveBefore(tiles.getBody(), tiles.getBody()->end());
    }
  OpPassManager pipeline(ModuleOp::getOperationName());
  buildPipeline(pipeline, *target);
  bool lowered = succeeded(runPipeline(pipeline, tiles));
  for (Operation &op : llvm::make_early_inc_range(*tiles.getBody())) {
    if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op))
      setTargetAttributes(function, *target);
    op.moveBefore(tiles);
  }
  tiles.erase();
  if (!lowered)
    signalPassFailure();
}

std::unique_ptr<Pass>
attn::cpu::createLowerTilesPass(const TargetSpec &target) {
  return std::make_unique<LowerTiles>(target);
}

void attn::cpu::registerLowerTilesPass() { PassRegistration<LowerTiles>(); }

void attn::cpu::registerCpuPasses() {
  registerScheduleKernelsPass();
  registerLowerTilesPass();
  registerLowerModelPass();
}

void attn::cpu::registerCpuDialects(DialectRegistry &registry) {
  registry
      .insert<AttnCpuDialect, affine::AffineDialect, cf::ControlFlowDialect>();
}

LogicalResult attn::cpu::lowerKernels(ModuleOp module,
                                      const TargetSpec &target) {
  PassManager pm(module.getContext());
  pm.addPass(createScheduleKernelsPass(target));
  pm.addPass(createLowerTilesPass(target));
  return pm.run(module);
}
