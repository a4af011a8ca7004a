// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rewrites of a score given as scalar operations.

#include "passes/raise/ScoreSimplification.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include <cmath>

using namespace mlir;
using namespace attn;

std::optional<double> attn::getConstant(Value value) {
  FloatAttr constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return std::nullopt;
  return constant.getValueAsDouble();
}

Value attn::matchCondition(Value number) {
  Operation *op = number.getDefiningOp();
  if (!isa_and_nonnull<arith::SIToFPOp, arith::UIToFPOp>(op))
    return {};
  Value integer = op->getOperand(0);
  if (auto extended = integer.getDefiningOp<arith::ExtUIOp>())
    integer = extended.getIn();
  else if (isa<arith::SIToFPOp>(op))
    return {}; // a signed bit is -1
  return integer.getType().isInteger(1) ? integer : Value();
}

static bool isNegativeInfinity(Value value) {
  std::optional<double> constant = getConstant(value);
  return constant && std::isinf(*constant) && *constant < 0;
}

static bool isZero(Value value) { return getConstant(value) == 0.0; }

static bool isPositive(Value value) {
  std::optional<double> constant = getConstant(value);
  return constant && *constant > 0 && std::isfinite(*constant);
}

namespace {
/// Takes minus infinities off a score and gathers when they are absent.
struct MaskExtraction {
  OpBuilder &builder;
  Value keep;

  void require(Value condition, bool holds) {
    Location loc = condition.getLoc();
    if (!holds) {
      Value yes = arith::ConstantIntOp::create(builder, loc, 1, 1);
      condition = arith::XOrIOp::create(builder, loc, condition, yes);
    }
    keep =
        keep ? arith::AndIOp::create(builder, loc, keep, condition) : condition;
  }

  /// `score` without its mask.
  Value strip(Value score) {
    Operation *op = score.getDefiningOp();
    if (auto select = dyn_cast_or_null<arith::SelectOp>(op))
      return stripSelect(select);
    if (auto log = dyn_cast_or_null<math::LogOp>(op))
      return stripLog(log);
    // What has other uses is not the score alone.
    if (!op || !(op->use_empty() || op->hasOneUse()))
      return score;
    if (auto sum = dyn_cast<arith::AddFOp>(op))
      return stripSum(sum);
    if (auto difference = dyn_cast<arith::SubFOp>(op)) {
      difference.getLhsMutable().assign(strip(difference.getLhs()));
    } else if (auto product = dyn_cast<arith::MulFOp>(op)) {
      if (isPositive(product.getRhs()))
        product.getLhsMutable().assign(strip(product.getLhs()));
      else if (isPositive(product.getLhs()))
        product.getRhsMutable().assign(strip(product.getRhs()));
    } else if (auto quotient = dyn_cast<arith::DivFOp>(op)) {
      if (isPositive(quotient.getRhs()))
        quotient.getLhsMutable().assign(strip(quotient.getLhs()));
    }
    return score;
  }

  Value stripSelect(arith::SelectOp select) {
    bool fillsFalse = isNegativeInfinity(select.getFalseValue());
    if (!fillsFalse && !isNegativeInfinity(select.getTrueValue()))
      return select;
    require(select.getCondition(), fillsFalse);
    return strip(fillsFalse ? select.getTrueValue() : select.getFalseValue());
  }

  /// log(c ? 1 : 0) is 0 where the condition holds.
  Value stripLog(math::LogOp log) {
    Value condition = matchCondition(log.getOperand());
    if (!condition)
      return log;
    require(condition, true);
    return arith::ConstantOp::create(builder, log.getLoc(),
                                     builder.getF32FloatAttr(0));
  }

  Value stripSum(arith::AddFOp sum) {
    Value lhs = strip(sum.getLhs());
    Value rhs = strip(sum.getRhs());
    if (isZero(rhs))
      return lhs;
    if (isZero(lhs))
      return rhs;
    sum.getLhsMutable().assign(lhs);
    sum.getRhsMutable().assign(rhs);
    return sum;
  }
};
} // namespace

MaskedScore attn::extractKeep(OpBuilder &builder, Value score) {
  MaskExtraction extraction{builder, {}};
  Value stripped = extraction.strip(score);
  return {stripped, extraction.keep};
}

/// The factor by which `op` multiplies `value`, or nothing.
static std::optional<double> matchFactor(Operation *op, Value value) {
  if (auto product = dyn_cast<arith::MulFOp>(op))
    return getConstant(product.getLhs() == value ? product.getRhs()
                                                 : product.getLhs());
  if (auto quotient = dyn_cast<arith::DivFOp>(op);
      quotient && quotient.getLhs() == value) {
    std::optional<double> divisor = getConstant(quotient.getRhs());
    if (divisor && *divisor != 0)
      return 1 / *divisor;
  }
  return std::nullopt;
}

Value attn::foldScale(OpBuilder &builder, Value dot, double factor,
                      Value score) {
  Value scaled = dot;
  while (scaled.hasOneUse()) {
    Operation *user = *scaled.user_begin();
    std::optional<double> next = matchFactor(user, scaled);
    if (!next || !std::isnormal(static_cast<float>(factor * *next)))
      break;
    factor *= *next;
    scaled = user->getResult(0);
  }
  if (static_cast<float>(factor) == 1.0f && scaled == dot)
    return score;

  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(dot);
  Value product = dot;
  if (static_cast<float>(factor) != 1.0f) {
    Value constant = arith::ConstantOp::create(builder, dot.getLoc(),
                                               builder.getF32FloatAttr(factor));
    product = arith::MulFOp::create(builder, dot.getLoc(), dot, constant);
    if (scaled == dot) {
      dot.replaceAllUsesExcept(product, product.getDefiningOp());
      return score == dot ? product : score;
    }
  }
  scaled.replaceAllUsesWith(product);
  return score == scaled ? product : score;
}

Value attn::dropNanGuard(Value weight, Value normalized) {
  auto select = weight.getDefiningOp<arith::SelectOp>();
  if (!select || !isZero(select.getTrueValue()) ||
      select.getFalseValue() != normalized)
    return weight;
  auto isNan = [&](Operation *op) {
    if (auto compare = dyn_cast_or_null<arith::CmpFOp>(op))
      return (compare.getPredicate() == arith::CmpFPredicate::UNO ||
              compare.getPredicate() == arith::CmpFPredicate::UNE) &&
             compare.getLhs() == normalized && compare.getRhs() == normalized;
    auto test = dyn_cast_or_null<math::IsNaNOp>(op);
    return test && test.getOperand() == normalized;
  };
  return isNan(select.getCondition().getDefiningOp()) ? normalized : weight;
}
