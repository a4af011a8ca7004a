// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of files become the inputs of a model.

#ifndef ATTN_FRONTEND_WEIGHTS_INPUTBINDING_H
#define ATTN_FRONTEND_WEIGHTS_INPUTBINDING_H

#include "frontend/weights/Tensor.h"

namespace attn::weights {

/// A dimension that only the inputs fix, and the sizes it may have.
struct DynamicDim {
  std::string name;
  int64_t min = 1;
  int64_t max = INT64_MAX;
};

/// An input that a model takes. A size of -1 - d is dynamic dimension d.
struct InputSpec {
  std::string name;
  DataType type = DataType::F32; ///< F32 or I64.
  llvm::SmallVector<int64_t, 4> shape;
};

struct BoundInputs {
  /// One for each input, of its type, aligned to its elements.
  std::vector<Tensor> tensors;
  /// One for each dynamic dimension; -1 where no input has it.
  std::vector<int64_t> dims;
};

/// Finds every input in the table, converts it and derives the dynamic
/// dimensions. F16, BF16 and F64 become F32; smaller integers and booleans
/// become I64. All faults (missing, unused, of the wrong type or shape) are in
/// one error, one line each.
llvm::Expected<BoundInputs> bindInputs(llvm::ArrayRef<InputSpec> inputs,
                                       llvm::ArrayRef<DynamicDim> dims,
                                       const TensorTable &table);

} // namespace attn::weights

#endif
