// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two steps from outlined kernels to the LLVM dialect.

#ifndef ATTN_CODEGEN_CPU_PASSES_H
#define ATTN_CODEGEN_CPU_PASSES_H

#include "codegen/target/TargetSpec.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace attn::cpu {

/// kernel on tensors => tiles on an argument block: replaces every function
/// marked attn.kernel by NAME(args, slot), NAME_scratch(args) and, for some,
/// NAME_finish(args) in tile-level code. `target` outlives the pass.
std::unique_ptr<mlir::Pass> createScheduleKernelsPass(const TargetSpec &target);

/// tiles => LLVM dialect: lowers every function marked attn_cpu.tiles, and no
/// other. Calls no function of libm: what the target has no instruction for
/// becomes polynomials.
std::unique_ptr<mlir::Pass> createLowerTilesPass(const TargetSpec &target);

/// Registers --attn-cpu-schedule-kernels and --attn-cpu-lower-tiles, with the
/// option target=NAME, and the dialects their results use.
void registerCpuPasses();
void registerCpuDialects(mlir::DialectRegistry &registry);

/// Both steps. Errors are emitted on the operation they concern.
mlir::LogicalResult lowerKernels(mlir::ModuleOp module,
                                 const TargetSpec &target);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_PASSES_H
