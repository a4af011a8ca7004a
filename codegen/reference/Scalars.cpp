// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise arithmetic of the reference evaluator: arith, math and gelu, on
// scalars and tensors alike.

#include "codegen/reference/Interpreter.h"
#include "codegen/reference/ScalarFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

unsigned reference::widthOf(Type type) {
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
                            value < 0 ? int64_t(-uint64_t(value)) : value);
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
