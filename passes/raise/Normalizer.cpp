// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which scalars of a weight are its score, and how scores become weights.

#include "passes/raise/Normalizer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/raise/ScoreSimplification.h"
#include <limits>

using namespace mlir;
using namespace attn;

static bool isConstantOf(Value value, double wanted) {
  return getConstant(value) == wanted;
}

/// True where `value` is computed from `leaf`, other than through `stop`.
static bool dependsOn(Value value, Value leaf, Value stop = {}) {
  llvm::SetVector<Value> worklist;
  worklist.insert(value);
  for (size_t next = 0; next < worklist.size(); ++next) {
    if (worklist[next] == stop)
      continue;
    if (worklist[next] == leaf)
      return true;
    if (Operation *op = worklist[next].getDefiningOp())
      worklist.insert(op->operand_begin(), op->operand_end());
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Softmax written out
//===----------------------------------------------------------------------===//

/// The quotients element / sum among the scalars, also as a product with 1 /
/// sum.
static SmallVector<Value> findQuotients(const RowReduction &sum) {
  SmallVector<Value> found;
  for (Operation *user : sum.scalar.getUsers()) {
    auto quotient = dyn_cast<arith::DivFOp>(user);
    if (!quotient || quotient.getRhs() != sum.scalar)
      continue;
    if (quotient.getLhs() == sum.element)
      found.push_back(quotient);
    if (isConstantOf(quotient.getLhs(), 1))
      for (Operation *product : quotient->getUsers())
        if (isa<arith::MulFOp>(product) &&
            llvm::is_contained(product->getOperands(), sum.element))
          found.push_back(product->getResult(0));
  }
  return found;
}

/// s - max(...) => s. One number for a whole row changes no softmax.
static Value dropMaximum(Value score, ArrayRef<RowReduction> reductions) {
  auto difference = score.getDefiningOp<arith::SubFOp>();
  bool isShifted =
      difference && llvm::any_of(reductions, [&](const RowReduction &each) {
        return each.isMaximum && each.scalar == difference.getRhs();
      });
  return isShifted ? dropMaximum(difference.getLhs(), reductions) : score;
}

/// exp(s) => s, and where a condition makes it 0, minus infinity; null where it
/// is something else.
static Value matchExponential(OpBuilder &builder, Value value,
                              ArrayRef<RowReduction> reductions) {
  if (auto exponential = value.getDefiningOp<math::ExpOp>())
    return dropMaximum(exponential.getOperand(), reductions);
  auto select = value.getDefiningOp<arith::SelectOp>();
  if (!select)
    return {};
  bool zeroIfTrue = isConstantOf(select.getTrueValue(), 0);
  if (!zeroIfTrue && !isConstantOf(select.getFalseValue(), 0))
    return {};
  Value score = matchExponential(
      builder, zeroIfTrue ? select.getFalseValue() : select.getTrueValue(),
      reductions);
  if (!score)
    return {};
  Location loc = value.getLoc();
  Value masked = arith::ConstantOp::create(
      builder, loc,
      builder.getF32FloatAttr(-std::numeric_limits<float>::infinity()));
  return arith::SelectOp::create(builder, loc, select.getCondition(),
                                 zeroIfTrue ? masked : score,
                                 zeroIfTrue ? score : masked);
}

//===----------------------------------------------------------------------===//
// Sigmoid
//===----------------------------------------------------------------------===//

/// 1 / (1 + exp(-s)) => s, or null.
static Value matchSigmoid(Value value) {
  auto quotient = value.getDefiningOp<arith::DivFOp>();
  auto sum = quotient ? quotient.getRhs().getDefiningOp<arith::AddFOp>()
                      : arith::AddFOp();
  if (!sum || !isConstantOf(quotient.getLhs(), 1))
    return {};
  for (auto [one, other] : {std::pair(sum.getLhs(), sum.getRhs()),
                            std::pair(sum.getRhs(), sum.getLhs())}) {
    auto exponential = other.getDefiningOp<math::ExpOp>();
    auto negated = exponential
                       ? exponential.getOperand().getDefiningOp<arith::NegFOp>()
                       : arith::NegFOp();
    if (negated && isConstantOf(one, 1))
      return negated.getOperand();
  }
  return {};
}

/// True where `weight` uses query and key only through `normalized`.
static bool usesOnly(const ScoreReader &reader, Value weight,
                     Value normalized) {
  for (ArrayRef<VectorOperand> operands :
       {ArrayRef(reader.queries), ArrayRef(reader.keys)})
    for (const VectorOperand &operand : operands)
      if (dependsOn(weight, operand.argument, normalized))
        return false;
  return true;
}

//===----------------------------------------------------------------------===//
// The expression of a weight
//===----------------------------------------------------------------------===//

namespace {
class Splitter {
public:
  Splitter(OpBuilder &builder, ScoreReader &reader, ScoreBlock &scalars,
           Value weight)
      : builder(builder), reader(reader), scalars(scalars) {
    result.weight = weight;
  }

  std::optional<StringRef> run() {
    builder.setInsertionPointToEnd(&scalars.block);
    for (const RowReduction &reduction : reader.reductions)
      if (!reduction.isMaximum)
        if (!takeSoftmax(reduction))
          return "its weights are made of several softmaxes";
    if (!result.score && reader.softmax)
      result.score = dropMaximum(reader.softmaxScore, reader.reductions);
    if (!result.score)
      takeSigmoid();
    if (!result.score)
      takeSum();
    for (const RowReduction &reduction : reader.reductions)
      for (Value value : {result.score, result.weight})
        if (dependsOn(value, reduction.scalar))
          return "a score depends on other scores of its row";
    return std::nullopt;
  }

  NormalizedScore result;

private:
  void replace(Value normalized) {
    if (result.weight == normalized)
      result.weight = scalars.weight;
    normalized.replaceAllUsesWith(scalars.weight);
    result.normalized.push_back(normalized);
  }

  /// False where there is a second softmax.
  bool takeSoftmax(const RowReduction &sum) {
    SmallVector<Value> quotients = findQuotients(sum);
    Value score = quotients.empty() ? Value()
                                    : matchExponential(builder, sum.element,
                                                       reader.reductions);
    if (!score)
      return true;
    if (reader.softmax || result.score)
      return false;
    result.score = score;
    for (Value quotient : quotients)
      replace(quotient);
    return true;
  }

  void takeSigmoid() {
    for (Operation &op : scalars.block) {
      Value value = op.getNumResults() ? op.getResult(0) : Value();
      Value score = value ? matchSigmoid(value) : Value();
      if (!score || !usesOnly(reader, result.weight, value) ||
          !dependsOn(result.weight, value))
        continue;
      result.normalizer = Normalizer::Sigmoid;
      result.score = score;
      return replace(value);
    }
  }

  void takeSum() {
    result.normalizer = Normalizer::Sum;
    result.score = result.weight;
    result.weight = scalars.weight;
    auto select = result.score.getDefiningOp<arith::SelectOp>();
    if (!select || !isConstantOf(select.getFalseValue(), 0))
      return;
    result.keep = select.getCondition();
    result.score = select.getTrueValue();
  }

  OpBuilder &builder;
  ScoreReader &reader;
  ScoreBlock &scalars;
};
} // namespace

FailureOr<NormalizedScore> attn::normalize(OpBuilder &builder,
                                           ScoreReader &reader,
                                           ScoreBlock &scalars, Value weight,
                                           std::string &reason) {
  Splitter splitter(builder, reader, scalars, weight);
  if (std::optional<StringRef> why = splitter.run()) {
    reason = why->str();
    return failure();
  }
  return splitter.result;
}
