// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.attention and the operations of its score: verification,
// canonicalisation.

#include "dialect/AttnOps.h"
#include "dialect/RegionCaptures.h"
#include "dialect/Verify.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace attn;

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

/// (C2) of pair p, against the first query and the value.
static LogicalResult verifyPair(AttentionOp op, unsigned p,
                                const NamedTensor &first,
                                const NamedTensor &value) {
  NamedTensor query("query", p, op.getQueries()[p]);
  NamedTensor key("key", p, op.getKeys()[p]);
  if (failed(expectRank(op, query, 4)) || failed(expectRank(op, key, 4)))
    return failure();
  for (int dim = 0; dim < 3; ++dim)
    if (failed(expectSameSize(op, {query, dim}, {first, dim})) ||
        failed(expectSameSize(op, {key, dim}, {value, dim})))
      return failure();
  if ((!op.isRagged() && failed(expectSameSize(op, {query, 0}, {key, 0}))) ||
      failed(expectStatic(op, {query, 3})) ||
      failed(expectStatic(op, {key, 3})))
    return failure();
  return expectSameSize(op, {query, 3}, {key, 3});
}

/// (C4), when the heads are known to be dimension 1.
static LogicalResult verifyHeads(AttentionOp op, const NamedTensor &query,
                                 const NamedTensor &value) {
  if (query.type.isDynamicDim(1) && value.type.isDynamicDim(1))
    return success();
  if (failed(expectStatic(op, {query, 1})) ||
      failed(expectStatic(op, {value, 1})))
    return failure();
  int64_t heads = query.type.getDimSize(1), keyHeads = value.type.getDimSize(1);
  if (keyHeads > 0 && heads % keyHeads == 0)
    return success();
  return op.emitOpError("expects the heads of 'value' to divide those of "
                        "'query 0', but got ")
         << keyHeads << " and " << heads;
}

/// (C5), (C8), (C9), (C10): the shapes that follow from query and value.
static LogicalResult verifyResults(AttentionOp op, const NamedTensor &query,
                                   const NamedTensor &value) {
  auto [b, h, m] =
      std::tuple(query.type.getDimSize(0), query.type.getDimSize(1),
                 query.type.getDimSize(2));
  int64_t n = value.type.getDimSize(2), e = value.type.getDimSize(3);
  NamedTensor output("output", op.getOutput());
  if (failed(expectShape(op, output, {b, h, m, e})))
    return failure();
  bool softmax = op.getNormalizer() == Normalizer::Softmax;
  auto expectSoftmax = [&](StringRef name) {
    return op.emitOpError("expects '")
           << name << "' only with the softmax normalizer, but got "
           << stringifyNormalizer(op.getNormalizer());
  };
  if (Value sink = op.getSink()) {
    if (failed(expectShape(op, {"sink", sink}, {h})))
      return failure();
    if (!softmax)
      return expectSoftmax("sink");
  }
  if (Value weights = op.getWeights()) {
    NamedTensor map("weights", weights);
    bool mean = map.type.getRank() == 3;
    if (failed(mean ? expectShape(op, map, {b, m, n})
                    : expectShape(op, map, {b, h, m, n})))
      return failure();
  }
  if (Value logsumexp = op.getLogsumexp()) {
    if (failed(expectShape(op, {"logsumexp", logsumexp}, {b, h, m})))
      return failure();
    if (!softmax)
      return expectSoftmax("logsumexp");
  }
  return success();
}

/// (C11).
static LogicalResult verifyRows(AttentionOp op, const NamedTensor &query,
                                const NamedTensor &value) {
  if (!op.getStarts() != !op.getLengths())
    return op.emitOpError("expects 'starts' and 'lengths' together");
  if (!op.isRagged())
    return success();
  int64_t sequences = value.type.getDimSize(0);
  if (query.type.getDimSize(0) != 1)
    return op.emitOpError("expects batch 1 of the queries whose rows are "
                          "given, but got ")
           << query.type;
  if (failed(expectShape(op, {"starts", op.getStarts()}, {sequences})) ||
      failed(expectShape(op, {"lengths", op.getLengths()}, {sequences})))
    return failure();
  if (op.getWeights() || op.getLogsumexp())
    return op.emitOpError("expects the output alone where rows are given, but "
                          "got ")
           << op->getNumResults() << " results";
  return success();
}

LogicalResult AttentionOp::verify() {
  if (getQueries().empty())
    return emitOpError("expects at least one query and key");
  if (getQueries().size() != getKeys().size())
    return emitOpError("expects as many keys as queries, but got ")
           << getKeys().size() << " and " << getQueries().size();
  NamedTensor first("query", 0, getQueries().front());
  NamedTensor value("value", getValue());
  if (failed(expectRank(*this, first, 4)) ||
      failed(expectRank(*this, value, 4)) ||
      failed(verifyHeads(*this, first, value)))
    return failure();
  for (unsigned p = 0; p < getQueries().size(); ++p)
    if (failed(verifyPair(*this, p, first, value)))
      return failure();
  if (failed(expectStatic(*this, {value, 3})) ||
      failed(verifyRows(*this, first, value)))
    return failure();
  return verifyResults(*this, first, value);
}

LogicalResult AttentionOp::verifyRegions() {
  Type f32 = Float32Type::get(getContext());
  SmallVector<Type> arguments;
  for (auto [query, key] : llvm::zip_equal(getQueries(), getKeys())) {
    for (Value side : {query, key}) {
      auto type = cast<RankedTensorType>(side.getType());
      arguments.push_back(RankedTensorType::get(type.getShape().back(), f32));
    }
  }
  arguments.append(6, IndexType::get(getContext()));
  llvm::append_range(arguments, getCaptures().getTypes());
  if (failed(expectRegion(*this, getScore(), "score", arguments, f32)))
    return failure();
  if (!getKeep().empty() &&
      failed(expectRegion(*this, getKeep(), "keep", arguments,
                          IntegerType::get(getContext(), 1))))
    return failure();
  if (getWeight().empty())
    return success();
  arguments.push_back(f32);
  return expectRegion(*this, getWeight(), "weight", arguments, f32);
}

/// (C1) of the reductions inside a score.
static LogicalResult expectStaticVector(Operation *op,
                                        const NamedTensor &tensor) {
  if (failed(expectRank(op, tensor, 1)))
    return failure();
  return expectStaticShape(op, tensor);
}

LogicalResult DotOp::verify() {
  return expectStaticVector(*this, {"a", getA()});
}

LogicalResult SumOp::verify() {
  return expectStaticVector(*this, {"input", getInput()});
}

//===----------------------------------------------------------------------===//
// Canonicalisation
//===----------------------------------------------------------------------===//

namespace {

/// keep { true } => no keep.
struct DropConstantKeep : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKeep().empty())
      return rewriter.notifyMatchFailure(op, "has no keep");
    Operation *yield = op.getKeep().front().getTerminator();
    if (!matchPattern(yield->getOperand(0), m_One()))
      return rewriter.notifyMatchFailure(op, "keep is not constantly true");
    rewriter.modifyOpInPlace(
        op, [&] { rewriter.eraseBlock(&op.getKeep().front()); });
    return success();
  }
};

/// weight { w } => no weight.
struct DropIdentityWeight : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    Region &weight = op.getWeight();
    if (weight.empty() || !yieldsArgument(weight, weight.getNumArguments() - 1))
      return rewriter.notifyMatchFailure(op,
                                         "weight computes, if there is one");
    rewriter.modifyOpInPlace(op, [&] { rewriter.eraseBlock(&weight.front()); });
    return success();
  }
};

/// Drops captures that no region reads, and those that are given twice.
struct SimplifyAttentionCaptures : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Region *> regions;
    for (Region *region : {&op.getScore(), &op.getKeep(), &op.getWeight()})
      if (!region->empty())
        regions.push_back(region);
    unsigned first = 2 * op.getQueries().size() + 6;
    SmallVector<unsigned> kept =
        simplifyCaptures(rewriter, op, op.getCaptures(), regions, first,
                         [](unsigned, unsigned) { return true; });
    if (kept.size() == op.getCaptures().size())
      return rewriter.notifyMatchFailure(op, "every capture is needed");
    rewriter.modifyOpInPlace(
        op, [&] { keepOperands(op.getCapturesMutable(), kept); });
    return success();
  }
};

/// Drops the attention map and the log-sum-exp where nobody reads them.
struct DropUnusedResults : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    auto isUnused = [](Value result) { return result && result.use_empty(); };
    bool dropWeights = isUnused(op.getWeights());
    bool dropLogsumexp = isUnused(op.getLogsumexp());
    if (!dropWeights && !dropLogsumexp)
      return rewriter.notifyMatchFailure(op, "every result is used");
    auto typeOf = [](Value result, bool drop) {
      return result && !drop ? result.getType() : Type();
    };
    auto smaller = AttentionOp::create(
        rewriter, op.getLoc(), op.getOutput().getType(),
        typeOf(op.getWeights(), dropWeights),
        typeOf(op.getLogsumexp(), dropLogsumexp), op.getQueries(), op.getKeys(),
        op.getValue(), op.getCaptures(), op.getSink(), op.getStarts(),
        op.getLengths(), op.getNormalizer());
    smaller->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    for (auto [from, to] : llvm::zip(op->getRegions(), smaller->getRegions()))
      rewriter.inlineRegionBefore(from, to, to.end());
    rewriter.replaceAllUsesWith(op.getOutput(), smaller.getOutput());
    if (smaller.getWeights())
      rewriter.replaceAllUsesWith(op.getWeights(), smaller.getWeights());
    if (smaller.getLogsumexp())
      rewriter.replaceAllUsesWith(op.getLogsumexp(), smaller.getLogsumexp());
    rewriter.eraseOp(op);
    return success();
  }
};

/// sum(a * b) => dot(a, b).
struct SumOfProductIsDot : OpRewritePattern<SumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SumOp op,
                                PatternRewriter &rewriter) const override {
    auto product = op.getInput().getDefiningOp<arith::MulFOp>();
    if (!product)
      return rewriter.notifyMatchFailure(op, "does not sum a product");
    rewriter.replaceOpWithNewOp<DotOp>(op, product.getLhs(), product.getRhs());
    return success();
  }
};

} // namespace

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<DropConstantKeep, DropIdentityWeight, DropUnusedResults,
               SimplifyAttentionCaptures>(context);
}

void SumOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add<SumOfProductIsDot>(context);
}
