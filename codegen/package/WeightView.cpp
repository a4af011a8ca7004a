// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Follows strides through expressions that only move a weight's elements.

#include "codegen/package/WeightView.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;
using namespace attn::package;

using View = std::optional<WeightView>;

void WeightView::read(uint64_t begin, MutableArrayRef<float> result) const {
  int64_t width = sizes.empty() ? 1 : sizes.back();
  int64_t step = sizes.empty() ? 1 : strides.back();
  while (!result.empty()) {
    // The rest of one row of the innermost dimension.
    int64_t column = begin % width, row = begin / width, at = start;
    for (size_t d = sizes.size(); d-- > 1;) {
      at += row % sizes[d - 1] * strides[d - 1];
      row /= sizes[d - 1];
    }
    at += column * step;
    size_t count = std::min<uint64_t>(width - column, result.size());
    if (step == 1)
      weights::readAsF32(*tensor, at, result.take_front(count));
    else
      for (size_t i = 0; i < count; ++i)
        weights::readAsF32(*tensor, at + i * step, result.slice(i, 1));
    result = result.drop_front(count);
    begin += count;
  }
}

static View transposed(View view, linalg::TransposeOp op) {
  WeightView result{view->tensor, view->start, {}, {}};
  for (int64_t dimension : op.getPermutation()) {
    result.sizes.push_back(view->sizes[dimension]);
    result.strides.push_back(view->strides[dimension]);
  }
  return result;
}

static View sliced(View view, tensor::ExtractSliceOp op) {
  if (!op.getType().hasStaticShape() ||
      llvm::any_of(op.getStaticOffsets(), ShapedType::isDynamic) ||
      llvm::any_of(op.getStaticStrides(), ShapedType::isDynamic))
    return std::nullopt;
  WeightView result{view->tensor, view->start, {}, {}};
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [d, stride] : llvm::enumerate(view->strides)) {
    result.start += op.getStaticOffsets()[d] * stride;
    if (dropped.test(d))
      continue;
    result.sizes.push_back(op.getStaticSizes()[d]);
    result.strides.push_back(op.getStaticStrides()[d] * stride);
  }
  return result;
}

static View expanded(View view, tensor::ExpandShapeOp op) {
  WeightView result{view->tensor, view->start, {}, {}};
  result.sizes.assign(op.getType().getShape());
  result.strides.resize(result.sizes.size());
  for (auto [d, group] : llvm::enumerate(op.getReassociationIndices())) {
    int64_t stride = view->strides[d];
    for (int64_t i : llvm::reverse(group)) {
      result.strides[i] = stride;
      stride *= result.sizes[i];
    }
  }
  return result;
}

/// Dimensions become one where each steps over the whole of the next.
static View collapsed(View view, tensor::CollapseShapeOp op) {
  WeightView result{view->tensor, view->start, {}, {}};
  for (auto &group : op.getReassociationIndices()) {
    int64_t size = 1, stride = 1;
    for (int64_t i : llvm::reverse(group)) {
      if (view->sizes[i] == 1)
        continue;
      if (size == 1)
        stride = view->strides[i];
      else if (view->strides[i] != stride * size)
        return std::nullopt;
      size *= view->sizes[i];
    }
    result.sizes.push_back(size);
    result.strides.push_back(stride);
  }
  return result;
}

static llvm::Expected<View> viewOfWeight(WeightOp weight,
                                         const weights::TensorTable &weights) {
  const weights::Tensor *tensor = weights.find(weight.getName());
  ArrayRef<int64_t> shape = weight.getType().getShape();
  if (!tensor || ArrayRef<int64_t>(tensor->shape) != shape)
    return llvm::createStringError("tensor '" + weight.getName() +
                                   "' is missing or has another shape");
  WeightView view{tensor, 0, SmallVector<int64_t>(shape),
                  SmallVector<int64_t>(shape.size(), 1)};
  for (size_t d = shape.size(); d-- > 1;)
    view.strides[d - 1] = view.strides[d] * shape[d];
  return view;
}

llvm::Expected<View>
attn::package::viewOf(Value value, const weights::TensorTable &weights) {
  Operation *op = value.getDefiningOp();
  if (auto weight = dyn_cast_or_null<WeightOp>(op))
    return viewOfWeight(weight, weights);
  if (!isa_and_nonnull<linalg::TransposeOp, tensor::ExtractSliceOp,
                       tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op) ||
      !cast<RankedTensorType>(value.getType()).hasStaticShape())
    return std::nullopt;
  auto source = viewOf(op->getOperand(0), weights);
  if (!source || !*source)
    return source;
  return llvm::TypeSwitch<Operation *, View>(op)
      .Case([&](linalg::TransposeOp turn) { return transposed(*source, turn); })
      .Case([&](tensor::ExtractSliceOp cut) { return sliced(*source, cut); })
      .Case([&](tensor::ExpandShapeOp part) { return expanded(*source, part); })
      .Case([&](tensor::CollapseShapeOp join) {
        return collapsed(*source, join);
      });
}
