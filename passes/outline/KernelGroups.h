// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which operations run together as one kernel.

#ifndef ATTN_PASSES_OUTLINE_KERNELGROUPS_H
#define ATTN_PASSES_OUTLINE_KERNELGROUPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/plan/SymbolicShapes.h"
#include "llvm/ADT/SetVector.h"

namespace attn {

/// Operands, and what regions use from above.
llvm::SetVector<mlir::Value> usedValues(mlir::Operation *op);

/// The operations of one kernel: a root, the last operation absorbed behind
/// it, and producers that are cloned into the kernel.
struct KernelGroup {
  mlir::Operation *root;
  mlir::Operation *last;
  /// Producers and group operations, in the order of the function.
  llvm::SetVector<mlir::Operation *> members;
  llvm::SetVector<mlir::Value> inputs;
  /// What the kernel returns: the results of `last`, then those of the root
  /// that `last` does not stand for.
  llvm::SmallVector<mlir::Value> results;
};

/// Whether the operation gets a kernel, as its root.
bool isKernelRoot(mlir::Operation *op);

/// The kernel of `root`, an operation of `model`: with the constants,
/// destinations and sizes that it recomputes, and with the transposes that
/// become strides of an attention.
KernelGroup groupKernel(mlir::Operation *root, mlir::func::FuncOp model,
                        const SymbolicShapes &shapes);

} // namespace attn

#endif // ATTN_PASSES_OUTLINE_KERNELGROUPS_H
