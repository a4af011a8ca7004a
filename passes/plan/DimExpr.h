// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Polynomials in the dynamic dimensions of a model.

#ifndef ATTN_PASSES_PLAN_DIMEXPR_H
#define ATTN_PASSES_PLAN_DIMEXPR_H

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/ArrayRef.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace attn {

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
  /// The constant fraction of `other` that this is, {3, 2} for half as much
  /// again, in lowest terms; null where there is none.
  std::optional<std::pair<int64_t, int64_t>>
  ratioTo(const DimExpr &other) const;

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

} // namespace attn

#endif // ATTN_PASSES_PLAN_DIMEXPR_H
