// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pipelines of target-independent passes.

#include "passes/Pipelines.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"

using namespace mlir;

void attn::buildCachePipeline(OpPassManager &manager) {
  OpPassManager &model = manager.nest<func::FuncOp>();
  model.addPass(createCanonicalizerPass());
  model.addPass(createCSEPass());
  model.addPass(createRaiseAttention());
  model.addPass(createCanonicalizerPass());
  manager.addPass(createCacheKeys());
}

void attn::buildFusionPipeline(OpPassManager &manager) {
  OpPassManager &model = manager.nest<func::FuncOp>();
  model.addPass(createCanonicalizerPass());
  model.addPass(createCSEPass());
  model.addPass(createRaiseAttention());
  model.addPass(createCanonicalizerPass());
  model.addPass(createHoistFromScans());
  model.addPass(createFuseProjections());
  // In front of the fusions: residuals and norms then stand beside linears.
  model.addPass(createHoistRowCopies());
  model.addPass(createFuseEpilogue());
  model.addPass(createFusePrologue());
  model.addPass(createFuseMaps());
}

void attn::buildOutlinePipeline(OpPassManager &manager) {
  manager.addPass(createHoistParameters());
  manager.addPass(createOutlineKernels());
  manager.addPass(createRollLayers());
}

void attn::buildPlanPipeline(OpPassManager &manager) {
  manager.addPass(createPlanMemory());
  manager.addPass(createEstimateWork());
  manager.addPass(createPlaceParameters());
}

void attn::registerAllPasses() {
  registerAttnPasses();
  PassPipelineRegistration<>(
      "attn-cache", "Raise attention, then derive the step of generation",
      buildCachePipeline);
  PassPipelineRegistration<>(
      "attn-outline", "Hoist parameters, outline kernels and roll layers",
      buildOutlinePipeline);
  PassPipelineRegistration<>("attn-plan",
                             "Plan memory, estimate work and place parameters",
                             buildPlanPipeline);
  PassPipelineRegistration<>(
      "attn-fuse",
      "Raise attention, then fuse projections, epilogues and prologues",
      buildFusionPipeline);
}
