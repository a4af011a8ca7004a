// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that the rows of an attention need no later ones, and gives it ragged
// rows.

#include "passes/cache/RaggedAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn;

namespace {

/// The index arguments of a region of an attention of one pair.
enum RegionIndex : unsigned { B = 2, H, I, J, M, N };

/// i * x + j * y + size * z + constant of integers in a region, where M and N
/// are one size.
struct Linear {
  int64_t i = 0, j = 0, size = 0, constant = 0;

  Linear plus(const Linear &other, int64_t factor) const {
    return {i + factor * other.i, j + factor * other.j,
            size + factor * other.size, constant + factor * other.constant};
  }
};

} // namespace

static SmallVector<Region *> regionsOf(AttentionOp attention) {
  SmallVector<Region *> regions;
  for (Region *region :
       {&attention.getScore(), &attention.getKeep(), &attention.getWeight()})
    if (!region->empty())
      regions.push_back(region);
  return regions;
}

static std::optional<Linear> linearOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    switch (argument.getArgNumber()) {
    case I:
      return Linear{1, 0, 0, 0};
    case J:
      return Linear{0, 1, 0, 0};
    case M:
    case N:
      return Linear{0, 0, 1, 0};
    default:
      return std::nullopt;
    }
  }
  IntegerAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return Linear{0, 0, 0, constant.getValue().getSExtValue()};
  Operation *op = value.getDefiningOp();
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op))
    return linearOf(op->getOperand(0));
  if (!isa<arith::AddIOp, arith::SubIOp>(op))
    return std::nullopt;
  std::optional<Linear> a = linearOf(op->getOperand(0));
  std::optional<Linear> b = linearOf(op->getOperand(1));
  if (!a || !b)
    return std::nullopt;
  return a->plus(*b, isa<arith::SubIOp>(op) ? -1 : 1);
}

/// Whether a condition holds for j <= i only.
static bool impliesCausal(Value condition) {
  if (auto both = condition.getDefiningOp<arith::AndIOp>())
    return impliesCausal(both.getLhs()) || impliesCausal(both.getRhs());
  if (auto either = condition.getDefiningOp<arith::OrIOp>()) {
    auto isFalse = [](Value side) { return matchPattern(side, m_Zero()); };
    return (isFalse(either.getLhs()) || impliesCausal(either.getLhs())) &&
           (isFalse(either.getRhs()) || impliesCausal(either.getRhs())) &&
           !(isFalse(either.getLhs()) && isFalse(either.getRhs()));
  }
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return false;
  std::optional<Linear> left = linearOf(compare.getLhs());
  std::optional<Linear> right = linearOf(compare.getRhs());
  if (!left || !right)
    return false;
  // left - right + slack <= 0 has to be j - i + c <= 0 with c >= 0.
  Linear difference = left->plus(*right, -1);
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    difference = Linear().plus(difference, -1);
    break;
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    break;
  default:
    return false;
  }
  auto predicate = compare.getPredicate();
  bool isStrict = predicate == arith::CmpIPredicate::slt ||
                  predicate == arith::CmpIPredicate::ult ||
                  predicate == arith::CmpIPredicate::sgt ||
                  predicate == arith::CmpIPredicate::ugt;
  return difference.i == -1 && difference.j == 1 && difference.size == 0 &&
         difference.constant + isStrict >= 0;
}

/// The least w for which a condition is seen to hold for i - j < w only.
static std::optional<int64_t> impliedWindow(Value condition) {
  if (auto both = condition.getDefiningOp<arith::AndIOp>()) {
    std::optional<int64_t> left = impliedWindow(both.getLhs());
    std::optional<int64_t> right = impliedWindow(both.getRhs());
    return left && right ? std::min(*left, *right) : left ? left : right;
  }
  if (auto either = condition.getDefiningOp<arith::OrIOp>()) {
    auto isFalse = [](Value side) { return matchPattern(side, m_Zero()); };
    if (isFalse(either.getLhs()))
      return impliedWindow(either.getRhs());
    std::optional<int64_t> left = impliedWindow(either.getLhs());
    if (isFalse(either.getRhs()))
      return left;
    std::optional<int64_t> right = impliedWindow(either.getRhs());
    return left && right ? std::optional(std::max(*left, *right))
                         : std::nullopt;
  }
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return std::nullopt;
  std::optional<Linear> left = linearOf(compare.getLhs());
  std::optional<Linear> right = linearOf(compare.getRhs());
  auto predicate = compare.getPredicate();
  bool isStrict = predicate == arith::CmpIPredicate::slt ||
                  predicate == arith::CmpIPredicate::sgt;
  if (predicate == arith::CmpIPredicate::sge ||
      predicate == arith::CmpIPredicate::sgt)
    std::swap(left, right);
  else if (!isStrict && predicate != arith::CmpIPredicate::sle)
    return std::nullopt;
  if (!left || !right)
    return std::nullopt;
  // left < right has to be i - j < w.
  Linear difference = left->plus(*right, -1);
  if (difference.i != 1 || difference.j != -1 || difference.size != 0)
    return std::nullopt;
  return !isStrict - difference.constant;
}

/// Rewrites sums in which the sizes cancel, i + N - M for instance, so that
/// what still uses a size depends on it.
static void cancelSizes(Region &region) {
  for (Operation &op : llvm::make_early_inc_range(region.front())) {
    if (!isa<arith::AddIOp, arith::SubIOp>(op) || op.use_empty())
      continue;
    std::optional<Linear> linear = linearOf(op.getResult(0));
    if (!linear || linear->size != 0 || !op.getResult(0).getType().isIndex() ||
        linear->i < 0 || linear->i > 1 || linear->j < 0 || linear->j > 1)
      continue;
    OpBuilder builder(&op);
    Location loc = op.getLoc();
    Value sum = arith::ConstantIndexOp::create(builder, loc, linear->constant);
    for (auto [factor, argument] :
         {std::pair(linear->i, region.getArgument(I)),
          std::pair(linear->j, region.getArgument(J))})
      if (factor == 1)
        sum = arith::AddIOp::create(builder, loc, argument, sum);
    op.getResult(0).replaceAllUsesWith(sum);
  }
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(region.front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

/// Where `argument` is first used.
static Location placeOfUse(Value argument) {
  return (*argument.getUsers().begin())->getLoc();
}

LogicalResult attn::verifyCausal(AttentionOp attention) {
  for (Region *region : regionsOf(attention)) {
    cancelSizes(*region);
    for (unsigned size : {M, N})
      if (!region->getArgument(size).use_empty())
        return emitError(placeOfUse(region->getArgument(size)))
               << "cannot be computed for new tokens alone: the score or mask "
                  "depends on the number of all tokens";
  }
  if (!attention.getKeep().empty() &&
      impliesCausal(attention.getKeep().front().getTerminator()->getOperand(0)))
    return success();
  return attention.emitError(
      "cannot be computed for new tokens alone: queries see keys of later "
      "tokens; expects keep to hold 'j <= i', alone or with 'and'");
}

std::optional<int64_t> attn::windowOf(AttentionOp attention) {
  std::optional<int64_t> window =
      impliedWindow(attention.getKeep().front().getTerminator()->getOperand(0));
  return window && *window > 0 ? window : std::nullopt;
}

LogicalResult attn::verifyCross(AttentionOp attention) {
  for (Region *region : regionsOf(attention))
    for (unsigned place : {I, M})
      if (!region->getArgument(place).use_empty())
        return emitError(placeOfUse(region->getArgument(place)))
               << "cannot be computed for new tokens alone: the score or mask "
                  "of an attention over another input depends on the place of "
                  "its query";
  return success();
}

/// A sequence is batch 0 of the whole-sequence model, and its rows begin at
/// N - M.
static void moveRows(Region &region) {
  OpBuilder builder = OpBuilder::atBlockBegin(&region.front());
  Location loc = region.getLoc();
  Value batch = region.getArgument(B), row = region.getArgument(I);
  if (!batch.use_empty())
    batch.replaceAllUsesWith(arith::ConstantIndexOp::create(builder, loc, 0));
  if (row.use_empty())
    return;
  Value first = arith::SubIOp::create(builder, loc, region.getArgument(N),
                                      region.getArgument(M));
  auto position = arith::AddIOp::create(builder, loc, row, first);
  row.replaceAllUsesExcept(position, position);
}

AttentionOp attn::makeRagged(AttentionOp attention,
                             const RaggedOperands &operands) {
  OpBuilder builder(attention);
  auto ragged = AttentionOp::create(
      builder, attention.getLoc(), attention.getOutput().getType(), Type(),
      Type(), attention.getQueries(), operands.keys, operands.values,
      attention.getCaptures(), attention.getSink(), operands.starts,
      operands.lengths, attention.getNormalizer());
  ragged->setDiscardableAttrs(attention->getDiscardableAttrDictionary());
  for (auto [from, to] :
       llvm::zip(attention->getRegions(), ragged->getRegions()))
    to.takeBody(from);
  for (Region *region : regionsOf(ragged))
    moveRows(*region);
  attention.getOutput().replaceAllUsesWith(ragged.getOutput());
  return ragged;
}
