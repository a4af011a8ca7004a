// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The kernel functions of a module, one of each structure.

#ifndef ATTN_PASSES_OUTLINE_KERNELTABLE_H
#define ATTN_PASSES_OUTLINE_KERNELTABLE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/outline/KernelGroups.h"
#include "llvm/ADT/StringMap.h"

namespace attn {

/// The parameters that linears read as weights, known before any of them is
/// outlined.
class PanelledParameters {
public:
  explicit PanelledParameters(mlir::ModuleOp module);

  /// Whether the value is such a parameter, or one of each layer's.
  bool contains(mlir::Value value) const;

private:
  llvm::DenseSet<mlir::Attribute> symbols;
};

/// Builds kernel functions from groups and keeps one of each structure.
class KernelTable {
public:
  KernelTable(mlir::ModuleOp module, const SymbolicShapes &shapes,
              const PanelledParameters &panelled);

  /// The kernel of a group; fails when a size cannot be had from its inputs.
  mlir::FailureOr<mlir::func::FuncOp> get(const KernelGroup &group);

private:
  mlir::Type storedTypeOf(mlir::Value value) const;
  void markLayouts(mlir::func::FuncOp kernel, const KernelGroup &group) const;
  mlir::FailureOr<mlir::func::FuncOp> build(const KernelGroup &group);
  mlir::LogicalResult mapSizes(mlir::Operation *op, const KernelGroup &group,
                               mlir::Block *entry, mlir::OpBuilder &builder,
                               mlir::IRMapping &mapping);
  mlir::Value sizeFromInputs(const DimExpr &value, mlir::Operation *op,
                             const KernelGroup &group, mlir::Block *entry,
                             mlir::OpBuilder &builder);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  const SymbolicShapes &shapes;
  const PanelledParameters &panelled;
  llvm::SmallVector<mlir::func::FuncOp> kernels;
  llvm::StringMap<unsigned> counts;
};

} // namespace attn

#endif // ATTN_PASSES_OUTLINE_KERNELTABLE_H
