// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Queries, keys and values in the order of dimensions that attn.attention has.

#include "passes/raise/HeadTensors.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/raise/AttentionOperands.h"

using namespace mlir;
using namespace attn;

SmallVector<ReassociationIndices> attn::getHeadReassociation(int64_t rank) {
  if (rank == 5)
    return {{0, 1}, {2}, {3}, {4}};
  if (rank == 4)
    return {{0}, {1}, {2}, {3}};
  return rank == 2 ? SmallVector<ReassociationIndices>{{0, 1, 2}, {3}}
                   : SmallVector<ReassociationIndices>{{0, 1}, {2}, {3}};
}

RankedTensorType attn::withHeads(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  if (shape.size() == 5) {
    bool isDynamic =
        ShapedType::isDynamic(shape[0]) || ShapedType::isDynamic(shape[1]);
    shape[1] = isDynamic ? ShapedType::kDynamic : shape[0] * shape[1];
    shape.erase(shape.begin());
  }
  while (shape.size() < 4)
    shape.insert(shape.end() - 2, 1);
  return type.clone(shape);
}

std::optional<HeadLayout> HeadLayout::find(Value tensor,
                                           ArrayRef<Value> coordinates,
                                           ArrayRef<Value> order) {
  HeadLayout layout;
  layout.tensor = tensor;
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> rest;
  for (auto [dim, at] : llvm::enumerate(coordinates)) {
    if (llvm::is_contained(order, at)) {
      layout.kept.push_back(dim);
      rest.push_back(at);
    } else if (type.getDimSize(dim) != 1) {
      return std::nullopt;
    }
  }
  SmallVector<int64_t> shape;
  for (Value wanted : order) {
    auto found = llvm::find(rest, wanted);
    layout.present.push_back(found != rest.end());
    if (llvm::count(rest, wanted) > 1)
      return std::nullopt;
    if (found == rest.end()) {
      shape.push_back(1);
      continue;
    }
    layout.permutation.push_back(found - rest.begin());
    shape.push_back(type.getDimSize(layout.kept[found - rest.begin()]));
  }
  // Rows and widths are always there.
  if (llvm::is_contained(ArrayRef(layout.present).take_back(2), false))
    return std::nullopt;
  layout.type = type.clone(shape);
  return layout;
}

/// Groups of consecutive dimensions with one that `isKept` each, which comes
/// first in all groups but the first.
static SmallVector<ReassociationIndices> group(ArrayRef<bool> isKept) {
  SmallVector<ReassociationIndices> groups(1);
  bool hasKept = false;
  for (auto [dim, kept] : llvm::enumerate(isKept)) {
    if (kept && hasKept)
      groups.emplace_back();
    hasKept |= kept;
    groups.back().push_back(dim);
  }
  return groups;
}

Value HeadLayout::create(RewriterBase &rewriter) const {
  Location loc = tensor.getLoc();
  Value value = tensor;
  auto source = cast<RankedTensorType>(tensor.getType());
  if (int64_t(kept.size()) != source.getRank()) {
    SmallVector<bool> isKept(source.getRank());
    SmallVector<int64_t> shape;
    for (int64_t dim : kept) {
      isKept[dim] = true;
      shape.push_back(source.getDimSize(dim));
    }
    value = tensor::CollapseShapeOp::create(rewriter, loc, source.clone(shape),
                                            value, group(isKept));
  }
  if (!isIdentityPermutation(permutation))
    value = createTransposed(rewriter, value, permutation);
  if (llvm::is_contained(present, false))
    value = tensor::ExpandShapeOp::create(rewriter, loc, type, value,
                                          group(present));
  return value;
}

//===----------------------------------------------------------------------===//
// Two dimensions of batches
//===----------------------------------------------------------------------===//

/// The order of [O B, ...] that a transpose of [O, B, ...] leaves it in; empty
/// where it moves either.
static SmallVector<int64_t> orderBehindBatches(ArrayRef<int64_t> permutation) {
  if (permutation.size() != 5 || permutation[0] != 0 || permutation[1] != 1)
    return {};
  SmallVector<int64_t> order{0};
  for (int64_t dim : permutation.drop_front(2))
    order.push_back(dim - 1);
  return order;
}

static Value createJoined(RewriterBase &rewriter, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return tensor::CollapseShapeOp::create(rewriter, value.getLoc(),
                                         withHeads(type), value,
                                         getHeadReassociation(5));
}

Value attn::joinBatches(RewriterBase &rewriter, Value value) {
  if (cast<RankedTensorType>(value.getType()).getRank() != 5)
    return value;
  if (auto transpose = value.getDefiningOp<linalg::TransposeOp>()) {
    SmallVector<int64_t> order = orderBehindBatches(transpose.getPermutation());
    if (!order.empty())
      return createTransposed(
          rewriter, createJoined(rewriter, transpose.getInput()), order);
  }
  return createJoined(rewriter, value);
}

namespace {
struct TransposeOfBatches : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<int64_t> order = orderBehindBatches(op.getPermutation());
    auto split = op.getInput().getDefiningOp<tensor::ExpandShapeOp>();
    if (order.empty() || !split ||
        split.getReassociationIndices() != getHeadReassociation(5))
      return rewriter.notifyMatchFailure(op, "its batches are not split");
    Value transposed = createTransposed(rewriter, split.getSrc(), order);
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(
        op, cast<RankedTensorType>(op->getResult(0).getType()), transposed,
        getHeadReassociation(5),
        applyPermutation(split.getMixedOutputShape(), op.getPermutation()));
    return success();
  }
};
} // namespace

void attn::populateTransposesOfBatches(RewritePatternSet &patterns) {
  patterns.add<TransposeOfBatches>(patterns.getContext());
}
