// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pipelines of target-independent passes.

#ifndef ATTN_PASSES_PIPELINES_H
#define ATTN_PASSES_PIPELINES_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace attn {

/// Derives the functions of generation from a model of one whole sequence, in
/// front of the fusion pipeline.
void buildCachePipeline(mlir::OpPassManager &manager);

/// Appends the passes that raise and fuse a model's operations, in the order
/// they need: what a frontend built goes in, what becomes kernels comes out.
/// The pass manager is one over a module.
void buildFusionPipeline(mlir::OpPassManager &manager);

/// Appends the passes that turn a fused model into launches of kernels, in
/// loops over layers, reading parameters.
void buildOutlinePipeline(mlir::OpPassManager &manager);

/// Appends the passes that give an outlined model its memory: buffers of the
/// workspace and places in the weights file.
void buildPlanPipeline(mlir::OpPassManager &manager);

/// Registers every pass, and the pipelines above as `--attn-fuse`,
/// `--attn-outline` and `--attn-plan`.
void registerAllPasses();

} // namespace attn

#endif // ATTN_PASSES_PIPELINES_H
