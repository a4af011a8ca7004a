// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of tensors as polynomials in the named dynamic dimensions of a model.

#ifndef ATTN_PASSES_PLAN_SYMBOLICSHAPES_H
#define ATTN_PASSES_PLAN_SYMBOLICSHAPES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace attn {

class LaunchOp;

/// A polynomial with integer coefficients in the dynamic dimensions of a
/// function: `3 * batch * sequence + 5`. Symbols are indices into
/// SymbolicShapes::symbols().
class DimExpr {
public:
  /// Symbols of a product, ascending, repeated for powers.
  using Monomial = std::vector<unsigned>;

  DimExpr() = default;
  static DimExpr constant(int64_t value);
  static DimExpr symbol(unsigned index);

  /// Null when a coefficient overflows.
  static std::optional<DimExpr> add(const DimExpr &a, const DimExpr &b);
  static std::optional<DimExpr> subtract(const DimExpr &a, const DimExpr &b);
  static std::optional<DimExpr> multiply(const DimExpr &a, const DimExpr &b);
  /// Exact quotient by a constant, or null.
  std::optional<DimExpr> divideExactly(int64_t divisor) const;

  /// True if this is at least `other` whenever every symbol is at least 0:
  /// each coefficient is.
  bool dominates(const DimExpr &other) const;

  /// The same polynomial as an affine expression over symbols, and back; null
  /// where a coefficient overflows or the expression is no polynomial.
  mlir::AffineExpr toAffine(mlir::MLIRContext *context) const;
  static std::optional<DimExpr> fromAffine(mlir::AffineExpr expr);

  std::optional<int64_t> asConstant() const;
  /// Non-zero terms, in a fixed order.
  const std::map<Monomial, int64_t> &terms() const { return coefficients; }
  bool operator==(const DimExpr &other) const {
    return coefficients == other.coefficients;
  }
  std::string str(llvm::ArrayRef<std::string> symbols) const;

private:
  std::map<Monomial, int64_t> coefficients;
};

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
  /// The shapes within the kernel of a launch of this function. Launches of
  /// one kernel may differ in them.
  mlir::FailureOr<SymbolicShapes> insideOf(LaunchOp launch) const;
  /// Number of elements.
  mlir::FailureOr<DimExpr> elementsOf(mlir::Value tensor) const;

private:
  mlir::LogicalResult visitRegion(mlir::Region &region);
  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::LogicalResult visitLoop(mlir::Operation *op);
  mlir::LogicalResult visitIndexOp(mlir::Operation *op);
  mlir::FailureOr<llvm::SmallVector<DimExpr>>
  resultShape(mlir::Operation *op, mlir::OpResult result);
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
