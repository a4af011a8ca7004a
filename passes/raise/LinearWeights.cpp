// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Takes sums and factors of weights out of their products with values, and
// divisions into them.

#include "passes/raise/LinearWeights.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "passes/Elementwise.h"

using namespace mlir;
using namespace attn;

/// Maps between a softmax and its product that are looked through.
static constexpr int kDepth = 8;

/// The softmax that `value` is computed from by maps alone, or null.
static SoftmaxOp findSoftmax(Value value, int depth = 0) {
  if (auto softmax = value.getDefiningOp<SoftmaxOp>())
    return softmax;
  linalg::GenericOp map = getElementwise(value);
  if (!map || depth == kDepth)
    return {};
  for (Value input : map.getInputs())
    if (SoftmaxOp found = findSoftmax(input, depth + 1))
      return found;
  return {};
}

namespace {

/// x = f(a, b), one operation on the elements of two tensors or of a tensor and
/// a constant.
struct BinaryMap {
  linalg::GenericOp map;
  Operation *op; ///< of the body
  /// Inputs of the map; null for a constant.
  OpOperand *left, *right;

  static std::optional<BinaryMap> match(linalg::GenericOp map);

  /// Whether an input has an element for each of the map.
  bool isWhole(OpOperand *input) {
    return input && getReadMap(map, input).isIdentity();
  }
  /// Whether an input is the same along the last dimension.
  bool isOfRow(OpOperand *input) {
    return !input || !getReadMap(map, input)
                          .isFunctionOfDim(map.getNumParallelLoops() - 1);
  }
};

} // namespace

std::optional<BinaryMap> BinaryMap::match(linalg::GenericOp map) {
  if (!map || usesIndices(map) || findOutsideValue(*map.getBody()))
    return std::nullopt;
  BinaryMap found{map, nullptr, nullptr, nullptr};
  for (Operation &inner : map.getBody()->without_terminator()) {
    if (inner.hasTrait<OpTrait::ConstantLike>())
      continue;
    if (found.op || inner.getNumOperands() != 2)
      return std::nullopt;
    found.op = &inner;
  }
  auto inputOf = [&](Value operand) -> OpOperand * {
    auto argument = dyn_cast<BlockArgument>(operand);
    return argument ? map.getMatchingOpOperand(argument) : nullptr;
  };
  if (!found.op ||
      map.getBody()->getTerminator()->getOperand(0) != found.op->getResult(0))
    return std::nullopt;
  found.left = inputOf(found.op->getOperand(0));
  found.right = inputOf(found.op->getOperand(1));
  return found;
}

/// The map's body over other inputs and another result, of the same rank.
static Value createLike(PatternRewriter &rewriter, linalg::GenericOp map,
                        ValueRange inputs, Value sizesOf, Location loc) {
  auto type = cast<RankedTensorType>(sizesOf.getType());
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, sizesOf),
      type.getElementType());
  SmallVector<AffineMap> maps;
  for (OpOperand *input : map.getDpsInputOperands())
    maps.push_back(getReadMap(map, input));
  maps.push_back(rewriter.getMultiDimIdentityMap(type.getRank()));
  auto created = linalg::GenericOp::create(
      rewriter, loc, type, inputs, empty, maps,
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel));
  rewriter.cloneRegionBefore(map.getRegion(), created.getRegion(),
                             created.getRegion().begin());
  return created.getResult(0);
}

namespace {

/// (a + b) v => a v + b v
struct SplitSum : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    auto sum = BinaryMap::match(getElementwise(op.getA()));
    if (!sum || !op.getA().hasOneUse() ||
        !isa<arith::AddFOp, arith::SubFOp>(sum->op) ||
        !sum->isWhole(sum->left) || !sum->isWhole(sum->right))
      return rewriter.notifyMatchFailure(op, "its weights are no sum");
    SoftmaxOp left = findSoftmax(sum->left->get());
    SoftmaxOp right = findSoftmax(sum->right->get());
    // Scores that both read could belong to neither attention alone.
    if (!left || !right || left == right)
      return rewriter.notifyMatchFailure(op, "not of two softmaxes");
    SmallVector<Value> products;
    for (Value weights : sum->map.getInputs())
      products.push_back(MatmulOp::create(rewriter, op.getLoc(),
                                          op.getResult().getType(), weights,
                                          op.getB(), op.getTransposeB()));
    Value result = createLike(rewriter, sum->map, products, products.front(),
                              sum->map.getLoc());
    result.getDefiningOp()->setDiscardableAttrs(
        op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// The operand of a map that multiplies or divides each row by a number; null
/// where it does something else.
struct RowFactor {
  BinaryMap scaled;
  OpOperand *weights = nullptr;

  static std::optional<RowFactor> match(Value value) {
    auto scaled = BinaryMap::match(getElementwise(value));
    if (!scaled || !isa<arith::MulFOp, arith::DivFOp>(scaled->op))
      return std::nullopt;
    OpOperand *weights = scaled->left, *factor = scaled->right;
    if (isa<arith::MulFOp>(scaled->op) && !scaled->isOfRow(factor))
      std::swap(weights, factor);
    if (!scaled->isWhole(weights) || !scaled->isOfRow(factor))
      return std::nullopt;
    return RowFactor{*scaled, weights};
  }
};

/// A softmax times numbers of rows. Where something varies with the key beside
/// them, attention multiplies each weight anyway.
bool isMultipleOfSoftmax(Value value) {
  for (int depth = 0; depth < kDepth; ++depth) {
    if (value.getDefiningOp<SoftmaxOp>())
      return true;
    std::optional<RowFactor> factor = RowFactor::match(value);
    if (!factor)
      return false;
    value = factor->weights->get();
  }
  return false;
}

/// (c p) v => c (p v)
struct TakeOutFactor : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<RowFactor> factor = RowFactor::match(op.getA());
    if (!factor || !op.getA().hasOneUse() ||
        !isMultipleOfSoftmax(factor->weights->get()))
      return rewriter.notifyMatchFailure(op, "no multiple of a softmax");
    linalg::GenericOp map = factor->scaled.map;
    Value product =
        MatmulOp::create(rewriter, op.getLoc(), op.getResult().getType(),
                         factor->weights->get(), op.getB(), op.getTransposeB());
    SmallVector<Value> inputs(map.getInputs());
    inputs[factor->weights->getOperandNumber()] = product;
    Value result = createLike(rewriter, map, inputs, product, map.getLoc());
    result.getDefiningOp()->setDiscardableAttrs(
        op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Whether `value` is, but for its shape, the sum of `addends` along their last
/// dimension.
bool isRowSum(Value value, Value addends) {
  while (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    value = expand.getSrc();
  auto sum = value.getDefiningOp<linalg::GenericOp>();
  if (!sum || sum.getNumDpsInputs() != 1 || sum.getInputs()[0] != addends ||
      sum.getNumReductionLoops() != 1 ||
      sum.getIteratorTypesArray().back() != utils::IteratorType::reduction)
    return false;
  auto fill = sum.getOutputs()[0].getDefiningOp<linalg::FillOp>();
  if (!fill || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
    return false;
  Operation *yielded =
      sum.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  return isa_and_nonnull<arith::AddFOp>(yielded) &&
         llvm::hasSingleElement(sum.getBody()->without_terminator());
}

/// (e v) / sum(e) => (e / sum(e)) v
struct DivideWeights : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    auto quotient = isElementwise(op) ? BinaryMap::match(op) : std::nullopt;
    if (!quotient || !isa<arith::DivFOp>(quotient->op) ||
        !quotient->isWhole(quotient->left) || !quotient->right ||
        !quotient->isOfRow(quotient->right))
      return rewriter.notifyMatchFailure(op, "no division of rows");
    auto product = quotient->left->get().getDefiningOp<MatmulOp>();
    if (!product || !product->hasOneUse() ||
        !isRowSum(quotient->right->get(), product.getA()))
      return rewriter.notifyMatchFailure(op, "not by the sum of the weights");
    SmallVector<Value> inputs(op.getInputs());
    inputs[quotient->left->getOperandNumber()] = product.getA();
    Value weights =
        createLike(rewriter, op, inputs, product.getA(), op.getLoc());
    auto result = MatmulOp::create(rewriter, product.getLoc(),
                                   product.getResult().getType(), weights,
                                   product.getB(), product.getTransposeB());
    result->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, result.getResult());
    return success();
  }
};

} // namespace

void attn::populateLinearWeights(RewritePatternSet &patterns) {
  patterns.add<SplitSum, TakeOutFactor, DivideWeights>(patterns.getContext());
}
