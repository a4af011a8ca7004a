// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of a model file seen through transposes, slices and reshapes.

#ifndef ATTN_CODEGEN_PACKAGE_WEIGHTVIEW_H
#define ATTN_CODEGEN_PACKAGE_WEIGHTVIEW_H

#include "dialect/AttnOps.h"
#include "frontend/weights/Tensor.h"

namespace attn::package {

/// A weight whose elements are read where they lie, in any order: none of it is
/// copied before it is packed. Element (i, j, ...) is element
/// start + i * strides[0] + j * strides[1] + ... of the tensor.
struct WeightView {
  const weights::Tensor *tensor = nullptr;
  int64_t start = 0;
  llvm::SmallVector<int64_t> sizes, strides;

  /// Whether rows of a matrix run through the tensor's memory crosswise.
  bool isTurned() const {
    return sizes.size() == 2 && strides[0] == 1 && strides[1] != 1;
  }
  /// Elements `begin`, `begin + 1`, ... in row-major order of `sizes`.
  void read(uint64_t begin, llvm::MutableArrayRef<float> result) const;
};

/// The view that an expression over weights is: one weight behind transposes,
/// slices and reshapes; null for one that computes, joins several weights, or
/// reshapes what does not lie together. A tensor that is missing or has another
/// shape is an error.
llvm::Expected<std::optional<WeightView>>
viewOf(mlir::Value value, const weights::TensorTable &weights);

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_WEIGHTVIEW_H
