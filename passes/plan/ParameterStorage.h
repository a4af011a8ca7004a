// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How parameters lie in the data of the weights file.

#ifndef ATTN_PASSES_PLAN_PARAMETERSTORAGE_H
#define ATTN_PASSES_PLAN_PARAMETERSTORAGE_H

#include "dialect/AttnOps.h"

namespace attn {

/// Every parameter starts at a multiple of this many bytes: a cache line, and
/// the widest vector of any target.
inline constexpr int64_t kParameterAlignment = 64;

/// The type that all elements of a parameter are values of, as the model's
/// files have them and nothing computes with them: bf16, or null for any
/// others.
mlir::Type storedType(ParameterOp parameter);

/// Bytes of a parameter in its layout, without padding behind it. Emits an
/// error where the layout does not suit the type or 64 bits do not count them.
mlir::FailureOr<int64_t> storageBytes(ParameterOp parameter);

} // namespace attn

#endif // ATTN_PASSES_PLAN_PARAMETERSTORAGE_H
