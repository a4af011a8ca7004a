// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Polynomial arithmetic with every overflow checked.

#include "frontend/language/check/Dim.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace attn::lang;

namespace {
constexpr size_t maxTerms = 16;
constexpr size_t maxDegree = 6;
} // namespace

std::string Dim::symbolName() const {
  if (terms.size() == 1 && terms.begin()->second == 1 &&
      terms.begin()->first.size() == 1)
    return terms.begin()->first.front();
  return "";
}

static bool accumulate(Dim &dim, const Dim::Monomial &monomial, int64_t value) {
  int64_t &slot = dim.terms[monomial];
  if (llvm::AddOverflow(slot, value, slot))
    return false;
  if (slot == 0)
    dim.terms.erase(monomial);
  return dim.terms.size() <= maxTerms && monomial.size() <= maxDegree;
}

std::optional<Dim> Dim::add(const Dim &other) const {
  Dim result = *this;
  result.label.clear();
  for (const auto &[monomial, value] : other.terms)
    if (!accumulate(result, monomial, value))
      return std::nullopt;
  return result;
}

std::optional<Dim> Dim::sub(const Dim &other) const {
  std::optional<Dim> negated = other.mul(Dim(-1));
  return negated ? add(*negated) : std::nullopt;
}

std::optional<Dim> Dim::mul(const Dim &other) const {
  Dim result;
  for (const auto &[a, x] : terms)
    for (const auto &[b, y] : other.terms) {
      Monomial monomial(a);
      monomial.insert(monomial.end(), b.begin(), b.end());
      std::sort(monomial.begin(), monomial.end());
      int64_t value;
      if (llvm::MulOverflow(x, y, value) ||
          !accumulate(result, monomial, value))
        return std::nullopt;
    }
  return result;
}

std::optional<Dim> Dim::divide(int64_t divisor) const {
  if (divisor <= 0)
    return std::nullopt;
  Dim result;
  for (const auto &[monomial, value] : terms) {
    if (value % divisor)
      return std::nullopt;
    result.terms[monomial] = value / divisor;
  }
  return result;
}

std::optional<int64_t>
Dim::upperBound(const std::map<std::string, int64_t> &max) const {
  int64_t total = 0;
  for (const auto &[monomial, value] : terms) {
    int64_t term = value;
    // A negative term is largest where its dimensions are smallest, at 1.
    if (value > 0)
      for (const std::string &name : monomial) {
        auto bound = max.find(name);
        if (bound == max.end() || llvm::MulOverflow(term, bound->second, term))
          return std::nullopt;
      }
    if (llvm::AddOverflow(total, term, total))
      return std::nullopt;
  }
  return total;
}

std::string Dim::str() const {
  if (std::optional<int64_t> value = constant())
    return label.empty() ? std::to_string(*value)
                         : label + " (" + std::to_string(*value) + ")";
  std::string text;
  // The constant term sorts first but reads best last.
  auto append = [&](const Monomial &monomial, int64_t value) {
    if (!text.empty())
      text += value < 0 ? " - " : " + ";
    else if (value < 0)
      text += "-";
    uint64_t magnitude = value < 0 ? 0 - uint64_t(value) : uint64_t(value);
    if (magnitude != 1 || monomial.empty())
      text += std::to_string(magnitude) + (monomial.empty() ? "" : " * ");
    for (size_t i = 0; i < monomial.size(); ++i)
      text += (i ? " * " : "") + monomial[i];
  };
  for (const auto &[monomial, value] : terms)
    if (!monomial.empty())
      append(monomial, value);
  auto number = terms.find({});
  if (number != terms.end())
    append({}, number->second);
  return text;
}
