// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Looks up what an elementwise operation computes, in f64 and in 64-bit
// integers.

#include "codegen/reference/ScalarFunctions.h"

#include "dialect/AttnOps.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

static double gelu(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }

static double geluTanh(double x) {
  return 0.5 * x *
         (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

// The reference rounds nowhere, so casts between floating-point types do
// nothing.
static double identity(double x) { return x; }

FloatUnary reference::floatUnary(Operation &op) {
  if (auto geluOp = dyn_cast<GeluOp>(op))
    return geluOp.getApproximate() == GeluForm::Tanh ? geluTanh : gelu;
  return llvm::StringSwitch<FloatUnary>(op.getName().getStringRef())
      .Case("arith.negf", [](double x) { return -x; })
      .Cases({"arith.extf", "arith.truncf"}, identity)
      .Case("math.absf", [](double x) { return std::fabs(x); })
      .Case("math.acos", [](double x) { return std::acos(x); })
      .Case("math.asin", [](double x) { return std::asin(x); })
      .Case("math.atan", [](double x) { return std::atan(x); })
      .Case("math.cbrt", [](double x) { return std::cbrt(x); })
      .Case("math.ceil", [](double x) { return std::ceil(x); })
      .Case("math.cos", [](double x) { return std::cos(x); })
      .Case("math.cosh", [](double x) { return std::cosh(x); })
      .Case("math.erf", [](double x) { return std::erf(x); })
      .Case("math.erfc", [](double x) { return std::erfc(x); })
      .Case("math.exp", [](double x) { return std::exp(x); })
      .Case("math.exp2", [](double x) { return std::exp2(x); })
      .Case("math.expm1", [](double x) { return std::expm1(x); })
      .Case("math.floor", [](double x) { return std::floor(x); })
      .Case("math.log", [](double x) { return std::log(x); })
      .Case("math.log10", [](double x) { return std::log10(x); })
      .Case("math.log1p", [](double x) { return std::log1p(x); })
      .Case("math.log2", [](double x) { return std::log2(x); })
      .Case("math.round", [](double x) { return std::round(x); })
      .Case("math.roundeven", [](double x) { return std::nearbyint(x); })
      .Case("math.rsqrt", [](double x) { return 1 / std::sqrt(x); })
      .Case("math.sin", [](double x) { return std::sin(x); })
      .Case("math.sinh", [](double x) { return std::sinh(x); })
      .Case("math.sqrt", [](double x) { return std::sqrt(x); })
      .Case("math.tan", [](double x) { return std::tan(x); })
      .Case("math.tanh", [](double x) { return std::tanh(x); })
      .Case("math.trunc", [](double x) { return std::trunc(x); })
      .Default(nullptr);
}

double reference::maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
}
double reference::minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
}

FloatBinary reference::floatBinary(Operation &op) {
  return llvm::StringSwitch<FloatBinary>(op.getName().getStringRef())
      .Case("arith.addf", [](double a, double b) { return a + b; })
      .Case("arith.subf", [](double a, double b) { return a - b; })
      .Case("arith.mulf", [](double a, double b) { return a * b; })
      .Case("arith.divf", [](double a, double b) { return a / b; })
      .Case("arith.remf", [](double a, double b) { return std::fmod(a, b); })
      .Case("arith.maximumf", maximum)
      .Case("arith.minimumf", minimum)
      .Case("arith.maxnumf", [](double a, double b) { return std::fmax(a, b); })
      .Case("arith.minnumf", [](double a, double b) { return std::fmin(a, b); })
      .Case("math.atan2", [](double a, double b) { return std::atan2(a, b); })
      .Case("math.copysign",
            [](double a, double b) { return std::copysign(a, b); })
      .Case("math.powf", [](double a, double b) { return std::pow(a, b); })
      .Default(nullptr);
}

/// No value where the operation has none: a division by zero or one that
/// overflows.
static std::optional<int64_t> divide(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1))
    return std::nullopt;
  return a / b;
}
static std::optional<int64_t> remainder(int64_t a, int64_t b) {
  if (b == 0)
    return std::nullopt;
  return b == -1 ? 0 : a % b;
}
static std::optional<int64_t> floorDivide(int64_t a, int64_t b) {
  std::optional<int64_t> quotient = divide(a, b);
  bool roundsUp = quotient && a % b != 0 && (a < 0) != (b < 0);
  return roundsUp ? *quotient - 1 : quotient;
}
static std::optional<int64_t> ceilDivide(int64_t a, int64_t b) {
  std::optional<int64_t> quotient = divide(a, b);
  bool roundsDown = quotient && a % b != 0 && (a < 0) == (b < 0);
  return roundsDown ? *quotient + 1 : quotient;
}

IntBinary reference::intBinary(Operation &op) {
  using R = std::optional<int64_t>;
  using I = int64_t;
  return llvm::StringSwitch<IntBinary>(op.getName().getStringRef())
      .Case("arith.addi",
            [](I a, I b) -> R { return I(uint64_t(a) + uint64_t(b)); })
      .Case("arith.subi",
            [](I a, I b) -> R { return I(uint64_t(a) - uint64_t(b)); })
      .Case("arith.muli",
            [](I a, I b) -> R { return I(uint64_t(a) * uint64_t(b)); })
      .Case("arith.divsi", divide)
      .Case("arith.remsi", remainder)
      .Case("arith.floordivsi", floorDivide)
      .Case("arith.ceildivsi", ceilDivide)
      .Case("arith.andi", [](I a, I b) -> R { return a & b; })
      .Case("arith.ori", [](I a, I b) -> R { return a | b; })
      .Case("arith.xori", [](I a, I b) -> R { return a ^ b; })
      .Case("arith.maxsi", [](I a, I b) -> R { return std::max(a, b); })
      .Case("arith.minsi", [](I a, I b) -> R { return std::min(a, b); })
      .Default(nullptr);
}

bool reference::compare(arith::CmpFPredicate predicate, double a, double b) {
  using P = arith::CmpFPredicate;
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case P::AlwaysFalse:
    return false;
  case P::AlwaysTrue:
    return true;
  case P::OEQ:
    return a == b;
  case P::OGT:
    return a > b;
  case P::OGE:
    return a >= b;
  case P::OLT:
    return a < b;
  case P::OLE:
    return a <= b;
  case P::ONE:
    return !unordered && a != b;
  case P::ORD:
    return !unordered;
  case P::UEQ:
    return unordered || a == b;
  case P::UGT:
    return unordered || a > b;
  case P::UGE:
    return unordered || a >= b;
  case P::ULT:
    return unordered || a < b;
  case P::ULE:
    return unordered || a <= b;
  case P::UNE:
    return a != b;
  case P::UNO:
    return unordered;
  }
  llvm_unreachable("covered switch");
}

bool reference::compare(arith::CmpIPredicate predicate, int64_t a, int64_t b) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::eq:
    return a == b;
  case P::ne:
    return a != b;
  case P::slt:
    return a < b;
  case P::sle:
    return a <= b;
  case P::sgt:
    return a > b;
  case P::sge:
    return a >= b;
  case P::ult:
    return uint64_t(a) < uint64_t(b);
  case P::ule:
    return uint64_t(a) <= uint64_t(b);
  case P::ugt:
    return uint64_t(a) > uint64_t(b);
  case P::uge:
    return uint64_t(a) >= uint64_t(b);
  }
  llvm_unreachable("covered switch");
}
