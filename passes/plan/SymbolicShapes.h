// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of tensors as polynomials in the named dynamic dimensions of a model.

#ifndef ATTN_PASSES_PLAN_SYMBOLICSHAPES_H
#define ATTN_PASSES_PLAN_SYMBOLICSHAPES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "passes/plan/DimExpr.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>
#include <vector>

namespace mlir::tensor {
class CollapseShapeOp;
class ConcatOp;
class ExtractSliceOp;
} // namespace mlir::tensor

namespace attn {

class AttentionOp;
class LaunchOp;
class ScanOp;

/// The symbolic shape of every tensor of a function whose arguments name their
/// dynamic dimensions (attn.dims).
class SymbolicShapes {
public:
  /// Emits an error at the op whose shape is not a polynomial.
  static mlir::FailureOr<SymbolicShapes> compute(mlir::func::FuncOp func);

  /// Names of the dynamic dimensions, in order of first appearance.
  llvm::ArrayRef<std::string> symbols() const { return names; }
  llvm::ArrayRef<DimExpr> shapeOf(mlir::Value tensor) const;
  /// Gives `copy` the shape of `original`, which it replaces.
  void copyShape(mlir::Value original, mlir::Value copy) {
    shapes[copy] = llvm::SmallVector<DimExpr>(shapeOf(original));
  }
  /// The value of an index, or null where it is no polynomial.
  std::optional<DimExpr> valueOf(mlir::Value index) const;
  /// How often the body of a scan runs.
  DimExpr stepsOf(ScanOp scan) const;
  /// The shapes within the kernel of a launch of this function. Launches of
  /// one kernel may differ in them.
  mlir::FailureOr<SymbolicShapes> insideOf(LaunchOp launch) const;
  /// Number of elements.
  mlir::FailureOr<DimExpr> elementsOf(mlir::Value tensor) const;

private:
  mlir::LogicalResult visitRegion(mlir::Region &region);
  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::LogicalResult visitLoop(mlir::Operation *op);
  mlir::LogicalResult visitSteps(ScanOp scan);
  void stackShapes(ScanOp scan);
  mlir::LogicalResult visitIndexOp(mlir::Operation *op);
  using Shape = mlir::FailureOr<llvm::SmallVector<DimExpr>>;
  Shape resultShape(mlir::Operation *op, mlir::OpResult result);
  Shape sliceShape(mlir::tensor::ExtractSliceOp slice);
  Shape collapsedShape(mlir::tensor::CollapseShapeOp collapse) const;
  Shape concatShape(mlir::tensor::ConcatOp concat) const;
  llvm::SmallVector<DimExpr> attentionShape(AttentionOp attention,
                                            mlir::OpResult result) const;
  Shape operandShape(mlir::Operation *op, mlir::RankedTensorType type) const;
  Shape sizes(mlir::Operation *op, llvm::ArrayRef<mlir::OpFoldResult> values);
  mlir::FailureOr<DimExpr> size(mlir::Operation *op, mlir::OpFoldResult value);
  mlir::LogicalResult bindArguments(mlir::func::FuncOp func);
  mlir::LogicalResult visitLaunch(mlir::Operation *op);
  mlir::FailureOr<mlir::func::FuncOp> visitKernel(LaunchOp launch,
                                                  const SymbolicShapes &outer);
  mlir::LogicalResult readPlannedShapes(mlir::Operation *op,
                                        mlir::ArrayAttr planned);
  unsigned symbolNamed(llvm::StringRef name);

  std::vector<std::string> names;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<DimExpr>> shapes;
  llvm::DenseMap<mlir::Value, DimExpr> indices;
};

} // namespace attn

#endif // ATTN_PASSES_PLAN_SYMBOLICSHAPES_H
