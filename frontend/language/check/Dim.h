// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compile-time integers: numbers, or polynomials in the dynamic dimensions.

#ifndef FRONTEND_LANGUAGE_CHECK_DIM_H
#define FRONTEND_LANGUAGE_CHECK_DIM_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace attn::lang {

/// A polynomial with integer coefficients in named dynamic dimensions, so that
/// [batch, sequence + 1] is a shape. Arithmetic returns nothing on overflow or
/// when the polynomial grows beyond what shapes need.
class Dim {
public:
  /// The factors of a term, sorted; empty for the constant term.
  using Monomial = std::vector<std::string>;

  Dim(int64_t value = 0) {
    if (value)
      terms[{}] = value;
  }
  static Dim symbol(const std::string &name) {
    Dim dim;
    dim.terms[{name}] = 1;
    return dim;
  }

  std::optional<int64_t> constant() const {
    if (terms.empty())
      return 0;
    if (terms.size() == 1 && terms.begin()->first.empty())
      return terms.begin()->second;
    return std::nullopt;
  }
  bool isConstant() const { return constant().has_value(); }
  bool is(int64_t value) const { return constant() == value; }
  /// The name, if this is a single dynamic dimension.
  std::string symbolName() const;

  std::optional<Dim> add(const Dim &other) const;
  std::optional<Dim> sub(const Dim &other) const;
  std::optional<Dim> mul(const Dim &other) const;
  /// The exact quotient by a number, if there is one.
  std::optional<Dim> divide(int64_t divisor) const;

  /// The largest value when each dimension is at most its entry in `max` (and
  /// at least 1); nothing if that is unbounded or overflows.
  std::optional<int64_t>
  upperBound(const std::map<std::string, int64_t> &max) const;

  bool operator==(const Dim &other) const { return terms == other.terms; }

  /// "sequence + 1"; a number that bears a name: "hidden_size (64)".
  std::string str() const;

  /// What the description calls this number; no part of its value.
  std::string label;
  std::map<Monomial, int64_t> terms; // no zero coefficients
};

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_CHECK_DIM_H
