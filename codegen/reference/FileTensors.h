// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of weight files as arrays of the reference evaluator.

#ifndef ATTN_CODEGEN_REFERENCE_FILETENSORS_H
#define ATTN_CODEGEN_REFERENCE_FILETENSORS_H

#include "codegen/reference/Array.h"
#include "frontend/weights/Tensor.h"

namespace attn::reference {

/// Floating-point tensors as doubles, integers and booleans as int64_t. Fails
/// for tensors that are larger than an Array may be.
llvm::Expected<Array> readArray(const weights::Tensor &tensor);

/// The tensor of that name in a table, as an array.
llvm::Expected<Array> readArray(const weights::TensorTable &table,
                                llvm::StringRef name);

} // namespace attn::reference

#endif // ATTN_CODEGEN_REFERENCE_FILETENSORS_H
