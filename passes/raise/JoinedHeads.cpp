// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over [batch * heads, rows, width], as it was before reshapes joined
// batch and heads.

#include "passes/raise/JoinedHeads.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Elementwise.h"

using namespace mlir;
using namespace attn;

static SmallVector<ReassociationIndices> getJoin() {
  return {{0, 1}, {2}, {3}};
}

/// join(x) => x, with static heads: batch and heads then follow from their
/// product. Null where `value` is something else.
static Value matchJoin(Value value) {
  auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>();
  if (!collapse || collapse.getReassociationIndices() != getJoin() ||
      collapse.getSrcType().isDynamicDim(1))
    return {};
  return collapse.getSrc();
}

static int64_t getHeads(Value value) {
  return cast<RankedTensorType>(value.getType()).getDimSize(1);
}

static Value createJoin(OpBuilder &builder, Location loc, Value value,
                        Type type) {
  return tensor::CollapseShapeOp::create(
      builder, loc, cast<RankedTensorType>(type), value, getJoin());
}

/// [B H, ...] as [B, H, ...], the shape of `like` before its last two.
static RankedTensorType splitType(Value like, RankedTensorType joined) {
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(like.getType()).getShape().take_front(2);
  SmallVector<int64_t> split(shape);
  llvm::append_range(split, joined.getShape().drop_front());
  return joined.clone(split);
}

namespace {

struct SplitProduct : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    Value a = matchJoin(op.getA()), b = matchJoin(op.getB());
    if (!a || !b || getHeads(a) != getHeads(b))
      return rewriter.notifyMatchFailure(op, "operands do not join the same");
    RankedTensorType joined = op.getResult().getType();
    Value product = MatmulOp::create(
        rewriter, op.getLoc(), splitType(a, joined), a, b, op.getTransposeB());
    rewriter.replaceOp(op, createJoin(rewriter, op.getLoc(), product, joined));
    return success();
  }
};

struct SplitSoftmax : OpRewritePattern<SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    Value input = matchJoin(op.getInput());
    if (!input || op.getAxis() == 0)
      return rewriter.notifyMatchFailure(op, "its input joins nothing");
    Value softmax = SoftmaxOp::create(rewriter, op.getLoc(), input.getType(),
                                      input, op.getAxis() + 1);
    rewriter.replaceOp(op, createJoin(rewriter, op.getLoc(), softmax,
                                      op.getResult().getType()));
    return success();
  }
};

struct SplitTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    Value input = matchJoin(op.getInput());
    if (!input || op.getPermutation() != ArrayRef<int64_t>{0, 2, 1})
      return rewriter.notifyMatchFailure(op, "moves the joined dimension");
    auto type = cast<RankedTensorType>(input.getType());
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, op.getLoc(), input);
    std::swap(sizes[2], sizes[3]);
    Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), sizes,
                                          type.getElementType());
    Value transpose =
        linalg::TransposeOp::create(rewriter, op.getLoc(), input, empty,
                                    ArrayRef<int64_t>{0, 1, 3, 2})
            ->getResult(0);
    rewriter.replaceOp(op, createJoin(rewriter, op.getLoc(), transpose,
                                      op->getResult(0).getType()));
    return success();
  }
};

/// A map of one joined tensor; what else it reads is not joined and does not
/// depend on batch or head.
struct SplitMap : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isElementwise(op) || usesIndices(op) || op.getNumLoops() != 3 ||
        !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
      return rewriter.notifyMatchFailure(op, "no map of three dimensions");
    Value joined;
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      Value split = map.isIdentity() ? matchJoin(input->get()) : Value();
      if (!split && map.isFunctionOfDim(0))
        return rewriter.notifyMatchFailure(op, "reads what is not joined");
      if (split && joined && getHeads(joined) != getHeads(split))
        return rewriter.notifyMatchFailure(op, "inputs do not join the same");
      joined = split ? split : joined;
      inputs.push_back(split ? split : input->get());
      maps.push_back(split ? rewriter.getMultiDimIdentityMap(4)
                           : map.shiftDims(1));
    }
    if (!joined)
      return rewriter.notifyMatchFailure(op, "its inputs join nothing");

    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    RankedTensorType split = splitType(joined, type);
    Value empty = tensor::EmptyOp::create(
        rewriter, op.getLoc(),
        tensor::getMixedSizes(rewriter, op.getLoc(), joined),
        type.getElementType());
    maps.push_back(rewriter.getMultiDimIdentityMap(4));
    SmallVector<utils::IteratorType> loops(4, utils::IteratorType::parallel);
    auto map = linalg::GenericOp::create(
        rewriter, op.getLoc(), TypeRange{split}, inputs, empty, maps, loops);
    rewriter.inlineRegionBefore(op.getRegion(), map.getRegion(),
                                map.getRegion().begin());
    rewriter.replaceOp(
        op, createJoin(rewriter, op.getLoc(), map.getResult(0), type));
    return success();
  }
};

/// split(join(x)) => x.
struct FoldSplitOfJoin : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    Value source = matchJoin(op.getSrc());
    if (!source || op.getReassociationIndices() != getJoin() ||
        source.getType() != op.getResultType())
      return rewriter.notifyMatchFailure(op, "splits what was not joined");
    rewriter.replaceOp(op, source);
    return success();
  }
};

} // namespace

void attn::populateSplitJoinedHeads(RewritePatternSet &patterns) {
  patterns.add<SplitProduct, SplitSoftmax, SplitTranspose, SplitMap,
               FoldSplitOfJoin>(patterns.getContext());
}
