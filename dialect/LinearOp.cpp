// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.linear: construction, verification, canonicalisation.

#include "dialect/AttnOps.h"
#include "dialect/RegionCaptures.h"
#include "dialect/Verify.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace attn;

void LinearOp::build(OpBuilder &builder, OperationState &state, Value input,
                     Value weight, Value bias) {
  auto inputType = cast<RankedTensorType>(input.getType());
  auto weightType = cast<RankedTensorType>(weight.getType());
  SmallVector<int64_t> shape(inputType.getShape());
  shape.back() = weightType.getDimSize(0);
  auto resultType = inputType.clone(shape);

  SmallVector<Value> captures;
  ArrayAttr maps;
  if (bias) {
    captures.push_back(bias);
    AffineMap map = AffineMap::get(shape.size(), 0,
                                   builder.getAffineDimExpr(shape.size() - 1));
    maps = builder.getAffineMapArrayAttr(map);
  }
  build(builder, state, TypeRange{resultType}, input, ValueRange{weight},
        captures, ValueRange{}, maps, /*epiloguesCount=*/bias ? 1 : 0);
  if (!bias)
    return;

  OpBuilder::InsertionGuard guard(builder);
  Type element = inputType.getElementType();
  Block *block =
      builder.createBlock(state.regions.back().get(), {}, {element, element},
                          {state.location, state.location});
  Value sum = arith::AddFOp::create(
      builder, state.location, block->getArgument(0), block->getArgument(1));
  YieldOp::create(builder, state.location, sum);
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

/// (C2) and (C3) of one weight and its result.
static LogicalResult verifyProduct(LinearOp op, const NamedTensor &input,
                                   unsigned n) {
  NamedTensor weight("weight", n, op.getWeights()[n]);
  NamedTensor output("output", n, op.getOutputs()[n]);
  if (failed(expectRank(op, weight, 2)) ||
      failed(expectStaticShape(op, weight)) ||
      failed(expectSameSize(op, {weight, 1}, {input, -1})))
    return failure();
  SmallVector<int64_t> shape(input.type.getShape());
  shape.back() = weight.type.getDimSize(0);
  if (failed(expectShape(op, output, shape)))
    return failure();
  return expectStatic(op, {output, -1});
}

/// (C5) of one map, without regard to sizes.
static LogicalResult verifyCaptureMap(LinearOp op, unsigned index,
                                      AffineMapAttr attribute,
                                      int64_t resultRank) {
  AffineMap map = attribute.getValue();
  NamedTensor capture("capture", index, op.getCaptures()[index]);
  int64_t rank = capture.type.getRank();
  auto error = [&] {
    return op.emitOpError("expects map ")
           << index << " to take the " << resultRank
           << " coordinates of a result to the " << rank << " of 'capture "
           << index << "', ";
  };
  if (map.getNumDims() != resultRank || map.getNumSymbols() != 0 ||
      map.getNumResults() != rank)
    return error() << "but got " << attribute;
  llvm::SmallBitVector seen(resultRank);
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (auto coordinate = dyn_cast<AffineDimExpr>(expr)) {
      if (seen.test(coordinate.getPosition()))
        return error() << "each coordinate at most once, but got " << attribute;
      seen.set(coordinate.getPosition());
      continue;
    }
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    if (!constant)
      return error() << "each a coordinate or a constant, but got "
                     << attribute;
    int64_t size = capture.type.getDimSize(dim);
    if (constant.getValue() < 0 ||
        (!ShapedType::isDynamic(size) && constant.getValue() >= size))
      return error() << "constants inside "
                     << spellShape(capture.type.getShape()) << ", but got "
                     << attribute;
  }
  return success();
}

LogicalResult LinearOp::verify() {
  NamedTensor input("input", getInput());
  if (getWeights().empty())
    return emitOpError("expects at least one weight");
  if (getWeights().size() != getOutputs().size())
    return emitOpError("expects as many results as weights, but got ")
           << getOutputs().size() << " and " << getWeights().size();
  if (input.type.getRank() == 0)
    return emitOpError("expects 'input' to have rank 1 or more, but got ")
           << input.type;
  if (failed(expectStatic(*this, {input, -1})))
    return failure();
  for (unsigned n = 0; n < getWeights().size(); ++n)
    if (failed(verifyProduct(*this, input, n)))
      return failure();

  size_t maps = getCaptureMaps() ? getCaptureMaps()->size() : 0;
  if (maps != getCaptures().size())
    return emitOpError("expects a map for each capture, but got ")
           << maps << " maps and " << getCaptures().size() << " captures";
  for (unsigned i = 0; i < maps; ++i) {
    auto map = cast<AffineMapAttr>((*getCaptureMaps())[i]);
    if (failed(verifyCaptureMap(*this, i, map, input.type.getRank())))
      return failure();
  }
  return success();
}

/// (C5): the captures that epilogue n uses fit result n.
static LogicalResult verifyCaptureSizes(LinearOp op, unsigned n) {
  Block &block = op.getEpilogues()[n].front();
  NamedTensor output("output", n, op.getOutputs()[n]);
  for (unsigned i = 0; i < op.getCaptures().size(); ++i) {
    if (block.getArgument(1 + i).use_empty())
      continue;
    NamedTensor capture("capture", i, op.getCaptures()[i]);
    auto map = cast<AffineMapAttr>((*op.getCaptureMaps())[i]).getValue();
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (auto coordinate = dyn_cast<AffineDimExpr>(expr))
        if (failed(expectSameSize(
                op, {capture, static_cast<int>(dim)},
                {output, static_cast<int>(coordinate.getPosition())})))
          return failure();
  }
  return success();
}

LogicalResult LinearOp::verifyRegions() {
  Type element = Float32Type::get(getContext());
  MutableArrayRef<Region> epilogues = getEpilogues();
  if (!epilogues.empty() && epilogues.size() != getWeights().size())
    return emitOpError("expects no epilogue or one for each weight, but got ")
           << epilogues.size() << " for " << getWeights().size();
  SmallVector<Type> scalars{element};
  for (Value capture : getCaptures())
    scalars.push_back(getElementTypeOrSelf(capture));
  for (auto [n, epilogue] : llvm::enumerate(epilogues)) {
    std::string name = "epilogue " + std::to_string(n);
    if (failed(expectRegion(*this, epilogue, name, scalars, element)) ||
        failed(verifyCaptureSizes(*this, n)))
      return failure();
  }

  if (getPrologue().empty()) {
    if (!getPrologueCaptures().empty())
      return emitOpError("expects a prologue for its captures");
    return success();
  }
  auto inputType = cast<RankedTensorType>(getInput().getType());
  Type row = RankedTensorType::get(inputType.getShape().back(), element);
  SmallVector<Type> tensors{row};
  llvm::append_range(tensors, getPrologueCaptures().getTypes());
  return expectRegion(*this, getPrologue(), "prologue", tensors, row);
}

//===----------------------------------------------------------------------===//
// Canonicalisation
//===----------------------------------------------------------------------===//

namespace {

/// linear(x, w) epilogue { acc } => linear(x, w), all epilogues at once.
struct DropIdentityEpilogues : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LinearOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getEpilogues().empty())
      return rewriter.notifyMatchFailure(op, "has no epilogue");
    for (Region &epilogue : op.getEpilogues())
      if (!yieldsArgument(epilogue, 0))
        return rewriter.notifyMatchFailure(op, "an epilogue computes");
    auto plain = LinearOp::create(rewriter, op.getLoc(), op.getResultTypes(),
                                  op.getInput(), op.getWeights(), ValueRange{},
                                  op.getPrologueCaptures(), ArrayAttr(),
                                  /*epiloguesCount=*/0);
    plain->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.inlineRegionBefore(op.getPrologue(), plain.getPrologue(),
                                plain.getPrologue().end());
    rewriter.replaceOp(op, plain);
    return success();
  }
};

/// linear(prologue { x }) => linear(x).
struct DropIdentityPrologue : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LinearOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPrologue().empty() || !yieldsArgument(op.getPrologue(), 0))
      return rewriter.notifyMatchFailure(op, "the prologue computes, if any");
    rewriter.modifyOpInPlace(op, [&] {
      op.getPrologueCapturesMutable().clear();
      rewriter.eraseBlock(&op.getPrologue().front());
    });
    return success();
  }
};

/// Drops captures that no epilogue reads, and those that are given twice.
struct SimplifyEpilogueCaptures : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LinearOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Region *> regions;
    for (Region &epilogue : op.getEpilogues())
      regions.push_back(&epilogue);
    ArrayAttr maps = op.getCaptureMapsAttr();
    auto same = [&](unsigned i, unsigned j) { return maps[i] == maps[j]; };
    SmallVector<unsigned> kept =
        simplifyCaptures(rewriter, op, op.getCaptures(), regions,
                         /*firstArgument=*/1, same);
    if (kept.size() == op.getCaptures().size())
      return rewriter.notifyMatchFailure(op, "every capture is needed");
    SmallVector<Attribute> keptMaps;
    for (unsigned index : kept)
      keptMaps.push_back(maps[index]);
    rewriter.modifyOpInPlace(op, [&] {
      keepOperands(op.getCapturesMutable(), kept);
      op.setCaptureMapsAttr(kept.empty() ? ArrayAttr()
                                         : rewriter.getArrayAttr(keptMaps));
    });
    return success();
  }
};

} // namespace

void LinearOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DropIdentityEpilogues, DropIdentityPrologue,
               SimplifyEpilogueCaptures>(context);
}
