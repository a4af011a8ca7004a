// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functions of a module that are models, and what may stand in them.

#ifndef ATTN_PASSES_MODELFUNCTIONS_H
#define ATTN_PASSES_MODELFUNCTIONS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace attn {

/// The functions with a body that are not kernels. Emits an error at one that
/// is not a single block over tensors, ended by a return.
mlir::FailureOr<llvm::SmallVector<mlir::func::FuncOp>>
modelFunctions(mlir::ModuleOp module);

/// The check of modelFunctions, for one function.
mlir::LogicalResult verifyModelFunction(mlir::func::FuncOp function);

/// The operations of a model function in program order: those of its block, and
/// behind each scan those of the scan's body.
llvm::SmallVector<mlir::Operation *> modelOperations(mlir::func::FuncOp model);

/// Whether an operation is one of them.
bool isInModel(mlir::Operation *op, mlir::func::FuncOp model);

/// Reshapes: their result is the memory of their operand.
bool isView(mlir::Operation *op);

/// Whether a launch writes its result over its first operand.
bool isInPlace(mlir::Operation *op);

/// The value whose memory a chain of reshapes and launches in place shows.
mlir::Value memoryOf(mlir::Value value);

/// Erases what nothing needs any more, in the bodies of scans too.
void eraseDeadOperations(mlir::Block &block);

} // namespace attn

#endif // ATTN_PASSES_MODELFUNCTIONS_H
