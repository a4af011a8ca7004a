// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Queries, keys and values in the order of dimensions that attn.attention has.

#include "passes/raise/HeadTensors.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/raise/AttentionOperands.h"

using namespace mlir;
using namespace attn;

SmallVector<ReassociationIndices> attn::getHeadReassociation(int64_t rank) {
  if (rank == 4)
    return {{0}, {1}, {2}, {3}};
  return rank == 2 ? SmallVector<ReassociationIndices>{{0, 1, 2}, {3}}
                   : SmallVector<ReassociationIndices>{{0, 1}, {2}, {3}};
}

RankedTensorType attn::withHeads(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
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
  if (!layout.present[2] || !layout.present[3])
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
