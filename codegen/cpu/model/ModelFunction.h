// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a planned model function to the two functions of an attn_variant.

#ifndef ATTN_CODEGEN_CPU_MODEL_MODELFUNCTION_H
#define ATTN_CODEGEN_CPU_MODEL_MODELFUNCTION_H

#include "codegen/target/TargetSpec.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

#include <string>

namespace attn::cpu {

/// Names of the functions that lowerModelFunction makes for model NAME.
std::string planFunctionName(llvm::StringRef model, llvm::StringRef isa);
std::string bodyFunctionName(llvm::StringRef model, llvm::StringRef isa);

/// Replaces a model function that `attn-plan-memory` has planned by the `plan`
/// and `body` of an attn_variant (attn/abi.h), in the LLVM dialect. Kernels are
/// called through the executor; those of the module are lowered before.
mlir::LogicalResult lowerModelFunction(mlir::func::FuncOp model,
                                       const TargetSpec &target);

/// The same as a pass over a module, for all of its model functions.
std::unique_ptr<mlir::Pass> createLowerModelPass(const TargetSpec &target);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_MODEL_MODELFUNCTION_H
