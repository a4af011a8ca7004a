// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies, where a value cannot be computed in the place it has to be in.

#ifndef ATTN_PASSES_PLAN_COPIER_H
#define ATTN_PASSES_PLAN_COPIER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

namespace attn {

/// Inserts launches of copy kernels.
class Copier {
public:
  explicit Copier(mlir::ModuleOp module) : symbols(module) {}

  /// A copy of `value`, launched at the builder's place.
  mlir::Value copy(mlir::OpBuilder &builder, mlir::Value value);

private:
  mlir::func::FuncOp kernelFor(mlir::RankedTensorType type);

  mlir::SymbolTable symbols;
  llvm::DenseMap<mlir::Type, mlir::func::FuncOp> kernels;
};

} // namespace attn

#endif // ATTN_PASSES_PLAN_COPIER_H
