// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which operands' memory a launch may write its results over.

#ifndef ATTN_PASSES_PLAN_INPLACE_H
#define ATTN_PASSES_PLAN_INPLACE_H

#include "dialect/AttnOps.h"
#include "passes/plan/SymbolicShapes.h"

namespace attn {

/// The arguments of a kernel that result `number` may be written over, if
/// nothing needs them afterwards: each is read once, element by element, by the
/// step that computes the same element of that result, and of no other.
llvm::SmallVector<unsigned> overwritableArguments(mlir::func::FuncOp kernel,
                                                  unsigned number);

/// The memories that a value may be in: of results of launches, arguments and
/// parameters, and stacked results of scans. A value that a loop carries is in
/// its initial value's, then in that of the value which the body yields.
llvm::SmallVector<mlir::Value> memoriesOf(mlir::Value value);

/// The memories that a result of a launch may be written over: those of
/// overwritable operands of its own shape that no other operand may be in.
/// That they are not needed later is for the caller to check.
llvm::SmallVector<mlir::Value> overwritableMemories(mlir::OpResult result,
                                                    const SymbolicShapes &);

} // namespace attn

#endif // ATTN_PASSES_PLAN_INPLACE_H
