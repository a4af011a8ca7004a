// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an exporter did to queries, keys and values before a matrix product.

#include "passes/raise/AttentionOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "passes/Elementwise.h"
#include "passes/raise/ScoreSimplification.h"
#include <cmath>

using namespace mlir;
using namespace attn;

/// The constant that a scalar inside the op's body always is, a constant
/// itself or the element of a splat.
static std::optional<double> getConstantInBody(linalg::GenericOp op,
                                               Value scalar) {
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (!argument || argument.getOwner() != op.getBody())
    return getConstant(scalar);
  Value input = op.getMatchingOpOperand(argument)->get();
  DenseFPElementsAttr splat;
  if (matchPattern(input, m_Constant(&splat)) && splat.isSplat())
    return splat.getSplatValue<APFloat>().convertToDouble();
  return getConstant(input);
}

/// The one input that the op multiplies by a constant, with that constant.
static std::optional<std::pair<OpOperand *, double>>
matchProductWithConstant(linalg::GenericOp op) {
  Operation *yield = op.getBody()->getTerminator();
  Operation *inner = yield->getOperand(0).getDefiningOp();
  if (!inner || inner->getBlock() != op.getBody() ||
      inner->getNumOperands() != 2)
    return std::nullopt;
  auto pick =
      [&](unsigned value,
          unsigned constant) -> std::optional<std::pair<OpOperand *, double>> {
    std::optional<double> factor =
        getConstantInBody(op, inner->getOperand(constant));
    auto argument = dyn_cast<BlockArgument>(inner->getOperand(value));
    if (!factor || !argument || argument.getOwner() != op.getBody())
      return std::nullopt;
    return std::pair(op.getMatchingOpOperand(argument), *factor);
  };
  if (isa<arith::MulFOp>(inner)) {
    if (auto match = pick(0, 1))
      return match;
    return pick(1, 0);
  }
  if (auto match = isa<arith::DivFOp>(inner) ? pick(0, 1) : std::nullopt) {
    match->second = 1 / match->second;
    return match;
  }
  return std::nullopt;
}

Scaled attn::matchScale(Value value) {
  Scaled scaled{value};
  while (linalg::GenericOp op = getElementwise(scaled.value)) {
    auto match = matchProductWithConstant(op);
    if (!match || !getReadMap(op, match->first).isIdentity() ||
        match->first->get().getType() != scaled.value.getType() ||
        !std::isnormal(static_cast<float>(scaled.factor * match->second)))
      break;
    scaled = {match->first->get(), scaled.factor * match->second};
  }
  return scaled;
}

Value attn::createTransposed(RewriterBase &rewriter, Value value,
                             ArrayRef<int64_t> wanted) {
  SmallVector<int64_t> permutation(wanted);
  if (auto transpose = value.getDefiningOp<linalg::TransposeOp>()) {
    permutation = applyPermutation(transpose.getPermutation(), permutation);
    value = transpose.getInput();
  }
  if (isIdentityPermutation(permutation))
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  // Rows and batches are the queries', which leaves an attention one reader.
  auto attention = value.getDefiningOp<AttentionOp>();
  bool isOutput = attention && value == attention.getOutput();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(
      rewriter, value.getLoc(), isOutput ? attention.getQueries()[0] : value);
  if (isOutput)
    sizes.back() = rewriter.getIndexAttr(type.getShape().back());
  Value empty = tensor::EmptyOp::create(rewriter, value.getLoc(),
                                        applyPermutation(sizes, permutation),
                                        type.getElementType());
  return linalg::TransposeOp::create(rewriter, value.getLoc(), value, empty,
                                     permutation)
      ->getResult(0);
}

/// [B, G, r, N, D] whose third dimension only repeats => where it repeats from.
static Value matchBroadcast(Value value) {
  linalg::GenericOp op = getElementwise(value);
  if (!op || op.getNumDpsInputs() != 1 ||
      op.getBody()->getTerminator()->getOperand(0) !=
          op.getBody()->getArgument(0))
    return {};
  AffineMap map = getReadMap(op, op.getDpsInputOperand(0));
  MLIRContext *context = op.getContext();
  auto dims = [&](ArrayRef<unsigned> positions) {
    return AffineMap::getMultiDimMapWithTargets(5, positions, context);
  };
  Value source = op.getDpsInputOperand(0)->get();
  if (map == dims({0, 1, 3, 4}))
    return source;
  SmallVector<AffineExpr> withUnit(dims({0, 1, 2, 3, 4}).getResults());
  withUnit[2] = getAffineConstantExpr(0, context);
  if (map != AffineMap::get(5, 0, withUnit, context))
    return {};
  auto expand = source.getDefiningOp<tensor::ExpandShapeOp>();
  auto isUnit = [](const ReassociationIndices &group) {
    return group.size() == 2 && llvm::is_contained(group, 2);
  };
  if (!expand || expand.getSrcType().getRank() != 4 ||
      llvm::none_of(expand.getReassociationIndices(), isUnit))
    return {};
  return expand.getSrc();
}

/// [B, 1, N, D] whose heads a map repeats => where it repeats from.
static Value matchRepeatedHead(Value value) {
  linalg::GenericOp op = getElementwise(value);
  if (!op || op.getNumDpsInputs() != 1 || op.getNumLoops() != 4 ||
      op.getBody()->getTerminator()->getOperand(0) !=
          op.getBody()->getArgument(0))
    return {};
  MLIRContext *context = op.getContext();
  SmallVector<AffineExpr> exprs;
  for (unsigned dim : {0, 1, 2, 3})
    exprs.push_back(dim == 1 ? getAffineConstantExpr(0, context)
                             : getAffineDimExpr(dim, context));
  Value source = op.getDpsInputOperand(0)->get();
  bool isOneHead = cast<RankedTensorType>(source.getType()).getRank() == 4 &&
                   cast<RankedTensorType>(source.getType()).getDimSize(1) == 1;
  return isOneHead && getReadMap(op, op.getDpsInputOperand(0)) ==
                          AffineMap::get(4, 0, exprs, context)
             ? source
             : Value();
}

/// concat(k, k, ...) of one head each => k.
static Value matchJoinedCopies(Value value) {
  auto concat = value.getDefiningOp<tensor::ConcatOp>();
  if (!concat || concat.getDim() != 1)
    return {};
  Value first = concat.getInputs().front();
  bool areCopies = llvm::all_of(concat.getInputs(),
                                [&](Value part) { return part == first; });
  return areCopies && cast<RankedTensorType>(first.getType()).getDimSize(1) == 1
             ? first
             : Value();
}

Value attn::matchRepeatedHeads(Value value) {
  if (Value source = matchRepeatedHead(value))
    return source;
  if (Value source = matchJoinedCopies(value))
    return source;
  auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>();
  SmallVector<ReassociationIndices> joinsHeads = {{0}, {1, 2}, {3}, {4}};
  if (!collapse || collapse.getReassociationIndices() != joinsHeads)
    return {};
  Value source = matchBroadcast(collapse.getSrc());
  if (!source || cast<RankedTensorType>(source.getType()).isDynamicDim(1))
    return {};
  return source;
}
