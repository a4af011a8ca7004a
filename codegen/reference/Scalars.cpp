// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Constants and elementwise arithmetic of the reference evaluator: arith, math
// and gelu, on scalars and tensors alike.

#include "codegen/reference/Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

using FloatUnary = double (*)(double);
using FloatBinary = double (*)(double, double);
using IntBinary = std::optional<int64_t> (*)(int64_t, int64_t);

//===----------------------------------------------------------------------===//
// Functions by operation
//===----------------------------------------------------------------------===//

static double gelu(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }

static double geluTanh(double x) {
  return 0.5 * x *
         (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

// The reference rounds nowhere, so casts between floating-point types do
// nothing.
static double identity(double x) { return x; }

static FloatUnary floatUnary(Operation &op) {
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

/// NaN if either is NaN.
static double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
}
static double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
}

static FloatBinary floatBinary(Operation &op) {
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

static int64_t wrapping(uint64_t value) { return int64_t(value); }

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

static IntBinary intBinary(Operation &op) {
  using R = std::optional<int64_t>;
  using I = int64_t;
  return llvm::StringSwitch<IntBinary>(op.getName().getStringRef())
      .Case("arith.addi",
            [](I a, I b) -> R { return wrapping(uint64_t(a) + uint64_t(b)); })
      .Case("arith.subi",
            [](I a, I b) -> R { return wrapping(uint64_t(a) - uint64_t(b)); })
      .Case("arith.muli",
            [](I a, I b) -> R { return wrapping(uint64_t(a) * uint64_t(b)); })
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

static bool compare(arith::CmpFPredicate predicate, double a, double b) {
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

/// Of sign-extended values; sign extension keeps the unsigned order.
static bool compare(arith::CmpIPredicate predicate, int64_t a, int64_t b) {
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

//===----------------------------------------------------------------------===//
// Integer widths
//===----------------------------------------------------------------------===//

static unsigned widthOf(Type type) {
  type = getElementTypeOrSelf(type);
  return type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
}

/// As held in an Array: sign-extended, but an i1 is 0 or 1.
static int64_t truncateTo(unsigned width, int64_t value) {
  if (width >= 64)
    return value;
  uint64_t low = uint64_t(value) & ((uint64_t(1) << width) - 1);
  return width == 1 ? int64_t(low) : llvm::SignExtend64(low, width);
}

static int64_t zeroExtend(unsigned width, int64_t value) {
  return width >= 64 ? value
                     : int64_t(uint64_t(value) & ((uint64_t(1) << width) - 1));
}

static int64_t signExtend(unsigned width, int64_t value) {
  return width == 1 ? -value : value;
}

/// Saturates, where the generated code's value is not defined.
static int64_t toInteger(double value) {
  if (std::isnan(value))
    return 0;
  if (value >= 0x1p63)
    return INT64_MAX;
  return value <= -0x1p63 ? INT64_MIN : int64_t(value);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static double toDouble(APFloat value) {
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value.convertToDouble();
}

static int64_t toInt64(const APInt &value) {
  return value.getBitWidth() == 1 ? value.getZExtValue() : value.getSExtValue();
}

static FailureOr<Array> evaluateDense(Operation &op,
                                      DenseElementsAttr elements) {
  ArrayRef<int64_t> shape = elements.getType().getShape();
  FailureOr<int64_t> count = countElements(&op, shape);
  if (failed(count))
    return failure();
  if (isa<FloatType>(elements.getElementType())) {
    if (elements.isSplat())
      return Array::ofFloats(
          shape, std::vector<double>(
                     *count, toDouble(elements.getSplatValue<APFloat>())));
    std::vector<double> values;
    values.reserve(*count);
    for (APFloat value : elements.getValues<APFloat>())
      values.push_back(toDouble(value));
    return Array::ofFloats(shape, std::move(values));
  }
  if (isa<IntegerType, IndexType>(elements.getElementType()) &&
      widthOf(elements.getElementType()) <= 64) {
    std::vector<int64_t> values;
    values.reserve(*count);
    for (const APInt &value : elements.getValues<APInt>())
      values.push_back(toInt64(value));
    return Array::ofIntegers(shape, std::move(values));
  }
  return op.emitOpError("expects float or integer elements, but got ")
         << elements.getElementType();
}

FailureOr<Array> reference::evaluateConstant(Operation &op, Attribute value) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return Array::ofFloats({}, {toDouble(number.getValue())});
  if (auto number = dyn_cast<IntegerAttr>(value);
      number && number.getValue().getBitWidth() <= 64)
    return Array::ofIntegers({}, {toInt64(number.getValue())});
  if (auto elements = dyn_cast<DenseElementsAttr>(value))
    return evaluateDense(op, elements);
  return op.emitOpError("has a constant of a kind that cannot be evaluated: ")
         << value;
}

//===----------------------------------------------------------------------===//
// Loops over the elements
//===----------------------------------------------------------------------===//

namespace {

/// The operands of one elementwise operation, brought to one shape.
struct Elements {
  SmallVector<LaneArray> operands;
  bool perLane = false;

  ArrayRef<double> floats(int i) const { return operands[i].array.floats(); }
  ArrayRef<int64_t> integers(int i) const {
    return operands[i].array.integers();
  }
  ArrayRef<int64_t> shape() const { return operands.back().array.shape(); }
  size_t size() const { return operands.back().array.size(); }

  template <typename Function> LaneArray mapFloats(Function function) const {
    std::vector<double> results(size());
    for (size_t i = 0; i < results.size(); ++i)
      results[i] = function(i);
    return {Array::ofFloats(shape(), std::move(results)), perLane};
  }
  template <typename Function> LaneArray mapIntegers(Function function) const {
    std::vector<int64_t> results(size());
    for (size_t i = 0; i < results.size(); ++i)
      results[i] = function(i);
    return {Array::ofIntegers(shape(), std::move(results)), perLane};
  }
};

} // namespace

/// Repeats a scalar of each lane, a select's condition, over a whole shape.
static LaneArray broadcastScalar(const LaneArray &scalar,
                                 const LaneArray &like) {
  ArrayRef<int64_t> from = scalar.array.integers();
  int64_t each = from.empty() ? 0 : like.array.size() / int64_t(from.size());
  std::vector<int64_t> values;
  values.reserve(like.array.size());
  for (int64_t value : from)
    values.insert(values.end(), each, value);
  return {Array::ofIntegers(like.array.shape(), std::move(values)),
          scalar.perLane};
}

static FailureOr<Elements> align(Operation &op, ArrayRef<LaneArray> operands,
                                 int64_t lanes) {
  Elements elements;
  elements.perLane = llvm::any_of(
      operands, [](const LaneArray &operand) { return operand.perLane; });
  for (const LaneArray &operand : operands)
    elements.operands.push_back(elements.perLane ? spreadLanes(operand, lanes)
                                                 : operand);
  LaneArray &first = elements.operands.front();
  if (isa<arith::SelectOp>(op) && first.shape().empty())
    first = broadcastScalar(first, elements.operands.back());
  for (const LaneArray &operand : elements.operands)
    if (operand.array.shape() != elements.shape())
      return op.emitOpError("expects operands of one shape, but got ")
             << formatShape(operand.shape()) << " and "
             << formatShape(elements.operands.back().shape());
  return elements;
}

static std::optional<LaneArray> evaluateFloat(Operation &op,
                                              const Elements &in) {
  if (FloatUnary function = floatUnary(op))
    return in.mapFloats([&](size_t i) { return function(in.floats(0)[i]); });
  if (FloatBinary function = floatBinary(op))
    return in.mapFloats(
        [&](size_t i) { return function(in.floats(0)[i], in.floats(1)[i]); });
  return TypeSwitch<Operation *, std::optional<LaneArray>>(&op)
      .Case([&](math::FmaOp) {
        return in.mapFloats([&](size_t i) {
          return in.floats(0)[i] * in.floats(1)[i] + in.floats(2)[i];
        });
      })
      .Case([&](math::ClampFOp) {
        return in.mapFloats([&](size_t i) {
          return minimum(maximum(in.floats(0)[i], in.floats(1)[i]),
                         in.floats(2)[i]);
        });
      })
      .Case([&](math::FPowIOp) {
        return in.mapFloats([&](size_t i) {
          return std::pow(in.floats(0)[i], double(in.integers(1)[i]));
        });
      })
      .Case([&](arith::CmpFOp cmp) {
        return in.mapIntegers([&](size_t i) {
          return compare(cmp.getPredicate(), in.floats(0)[i], in.floats(1)[i]);
        });
      })
      .Default(std::nullopt);
}

static std::optional<LaneArray> evaluateCast(Operation &op,
                                             const Elements &in) {
  if (op.getNumOperands() != 1)
    return std::nullopt;
  Type from = getElementTypeOrSelf(op.getOperand(0).getType());
  Type to = getElementTypeOrSelf(op.getResult(0).getType());
  if (!from.isIntOrIndexOrFloat() || !to.isIntOrIndexOrFloat())
    return std::nullopt;
  unsigned width = widthOf(from), newWidth = widthOf(to);
  return TypeSwitch<Operation *, std::optional<LaneArray>>(&op)
      .Case<arith::ExtSIOp, arith::IndexCastOp>([&](auto) {
        return in.mapIntegers([&](size_t i) {
          return truncateTo(newWidth, signExtend(width, in.integers(0)[i]));
        });
      })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp, arith::TruncIOp>([&](auto) {
        return in.mapIntegers([&](size_t i) {
          return truncateTo(newWidth, zeroExtend(width, in.integers(0)[i]));
        });
      })
      .Case([&](arith::SIToFPOp) {
        return in.mapFloats([&](size_t i) {
          return double(signExtend(width, in.integers(0)[i]));
        });
      })
      .Case([&](arith::UIToFPOp) {
        return in.mapFloats([&](size_t i) {
          return double(uint64_t(zeroExtend(width, in.integers(0)[i])));
        });
      })
      .Case<arith::FPToSIOp, arith::FPToUIOp>([&](auto) {
        return in.mapIntegers([&](size_t i) {
          return truncateTo(newWidth, toInteger(in.floats(0)[i]));
        });
      })
      .Case([&](math::AbsIOp) {
        return in.mapIntegers([&](size_t i) {
          int64_t value = signExtend(width, in.integers(0)[i]);
          return truncateTo(width,
                            value < 0 ? wrapping(-uint64_t(value)) : value);
        });
      })
      .Default(std::nullopt);
}

static std::optional<FailureOr<LaneArray>> evaluateInteger(Operation &op,
                                                           const Elements &in) {
  if (auto cmp = dyn_cast<arith::CmpIOp>(op)) {
    unsigned width = widthOf(cmp.getLhs().getType());
    return in.mapIntegers([&](size_t i) {
      return compare(cmp.getPredicate(), signExtend(width, in.integers(0)[i]),
                     signExtend(width, in.integers(1)[i]));
    });
  }
  IntBinary function = intBinary(op);
  if (!function)
    return std::nullopt;
  unsigned width = widthOf(op.getResult(0).getType());
  bool defined = true;
  LaneArray result = in.mapIntegers([&](size_t i) {
    std::optional<int64_t> value =
        function(signExtend(width, in.integers(0)[i]),
                 signExtend(width, in.integers(1)[i]));
    defined &= value.has_value();
    return truncateTo(width, value.value_or(0));
  });
  if (!defined)
    return op.emitOpError("divides by zero or overflows");
  return result;
}

static LaneArray evaluateSelect(const Elements &in) {
  if (in.operands[1].array.isFloat())
    return in.mapFloats([&](size_t i) {
      return in.integers(0)[i] ? in.floats(1)[i] : in.floats(2)[i];
    });
  return in.mapIntegers([&](size_t i) {
    return in.integers(0)[i] ? in.integers(1)[i] : in.integers(2)[i];
  });
}

std::optional<FailureOr<LaneArray>>
reference::evaluateElementwise(Operation &op, ArrayRef<LaneArray> operands,
                               int64_t lanes) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    FailureOr<Array> value = evaluateConstant(op, constant.getValue());
    if (failed(value))
      return FailureOr<LaneArray>(failure());
    return FailureOr<LaneArray>(*value);
  }
  if (!isa<GeluOp>(op) &&
      !isa_and_nonnull<arith::ArithDialect, math::MathDialect>(op.getDialect()))
    return std::nullopt;
  if (op.getNumResults() != 1 || operands.empty())
    return std::nullopt;
  FailureOr<Elements> in = align(op, operands, lanes);
  if (failed(in))
    return FailureOr<LaneArray>(failure());
  if (isa<arith::SelectOp>(op))
    return FailureOr<LaneArray>(evaluateSelect(*in));
  if (std::optional<LaneArray> result = evaluateFloat(op, *in))
    return FailureOr<LaneArray>(*result);
  if (std::optional<LaneArray> result = evaluateCast(op, *in))
    return FailureOr<LaneArray>(*result);
  return evaluateInteger(op, *in);
}
