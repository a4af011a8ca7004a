// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arithmetic of polynomials whose coefficients must not overflow.

#include "passes/plan/DimExpr.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <numeric>

using namespace mlir;
using namespace attn;

DimExpr DimExpr::constant(int64_t value) {
  DimExpr result;
  if (value != 0)
    result.coefficients[{}] = value;
  return result;
}

DimExpr DimExpr::symbol(unsigned index) {
  DimExpr result;
  result.coefficients[{index}] = 1;
  return result;
}

std::optional<DimExpr> DimExpr::add(const DimExpr &a, const DimExpr &b) {
  DimExpr result = a;
  for (const auto &[monomial, coefficient] : b.coefficients) {
    int64_t &sum = result.coefficients[monomial];
    if (llvm::AddOverflow(sum, coefficient, sum))
      return std::nullopt;
    if (sum == 0)
      result.coefficients.erase(monomial);
  }
  return result;
}

std::optional<DimExpr> DimExpr::subtract(const DimExpr &a, const DimExpr &b) {
  std::optional<DimExpr> negated = multiply(b, constant(-1));
  return negated ? add(a, *negated) : std::nullopt;
}

// No model's sizes come near; they bound what repeated squaring costs.
static constexpr size_t kMaxTerms = 256, kMaxDegree = 32;

std::optional<DimExpr> DimExpr::multiply(const DimExpr &a, const DimExpr &b) {
  if (a.coefficients.size() * b.coefficients.size() > kMaxTerms)
    return std::nullopt;
  DimExpr result;
  for (const auto &[m1, c1] : a.coefficients)
    for (const auto &[m2, c2] : b.coefficients) {
      if (m1.size() + m2.size() > kMaxDegree)
        return std::nullopt;
      DimExpr term;
      Monomial product(m1);
      product.insert(product.end(), m2.begin(), m2.end());
      std::sort(product.begin(), product.end());
      int64_t coefficient;
      if (llvm::MulOverflow(c1, c2, coefficient))
        return std::nullopt;
      term.coefficients[product] = coefficient;
      std::optional<DimExpr> sum = add(result, term);
      if (!sum)
        return std::nullopt;
      result = *sum;
    }
  return result;
}

std::optional<std::pair<int64_t, int64_t>>
DimExpr::ratioTo(const DimExpr &other) const {
  if (coefficients.empty() || other.coefficients.empty())
    return std::nullopt;
  int64_t over = coefficients.begin()->second;
  int64_t under = other.coefficients.begin()->second;
  if (over <= 0 || under <= 0)
    return std::nullopt;
  int64_t common = std::gcd(over, under);
  over /= common;
  under /= common;
  auto scaled = multiply(*this, constant(under));
  if (!scaled || scaled != multiply(other, constant(over)))
    return std::nullopt;
  return std::pair(over, under);
}

std::optional<DimExpr> DimExpr::divideExactly(int64_t divisor) const {
  if (divisor <= 0)
    return std::nullopt;
  DimExpr result;
  for (const auto &[monomial, coefficient] : coefficients) {
    if (coefficient % divisor != 0)
      return std::nullopt;
    result.coefficients[monomial] = coefficient / divisor;
  }
  return result;
}

bool DimExpr::dominates(const DimExpr &other) const {
  std::optional<DimExpr> difference = subtract(*this, other);
  return difference && llvm::all_of(difference->coefficients, [](auto &term) {
           return term.second >= 0;
         });
}

std::optional<int64_t> DimExpr::asConstant() const {
  if (coefficients.empty())
    return 0;
  if (coefficients.size() == 1 && coefficients.begin()->first.empty())
    return coefficients.begin()->second;
  return std::nullopt;
}

AffineExpr DimExpr::toAffine(MLIRContext *context) const {
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (const auto &[monomial, coefficient] : coefficients) {
    AffineExpr product = getAffineConstantExpr(1, context);
    for (unsigned symbol : monomial)
      product = product * getAffineSymbolExpr(symbol, context);
    sum = sum + product * coefficient;
  }
  return sum;
}

std::optional<DimExpr> DimExpr::fromAffine(AffineExpr expr) {
  if (auto value = dyn_cast<AffineConstantExpr>(expr))
    return constant(value.getValue());
  if (auto position = dyn_cast<AffineSymbolExpr>(expr))
    return symbol(position.getPosition());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  std::optional<DimExpr> a = fromAffine(binary.getLHS());
  std::optional<DimExpr> b = fromAffine(binary.getRHS());
  if (!a || !b)
    return std::nullopt;
  if (binary.getKind() == AffineExprKind::Add)
    return add(*a, *b);
  if (binary.getKind() == AffineExprKind::Mul)
    return multiply(*a, *b);
  return std::nullopt;
}

std::string DimExpr::str(ArrayRef<std::string> symbols) const {
  std::string text;
  llvm::raw_string_ostream out(text);
  llvm::ListSeparator plus(" + ");
  for (const auto &[monomial, coefficient] : llvm::reverse(coefficients)) {
    out << plus;
    if (coefficient != 1 || monomial.empty())
      out << coefficient << (monomial.empty() ? "" : "*");
    llvm::interleave(
        monomial, out, [&](unsigned s) { out << symbols[s]; }, "*");
  }
  return text.empty() ? "0" : text;
}
