// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an encoder-decoder computes once for a sequence: the keys and values of
// its cross-attentions.

#ifndef ATTN_PASSES_CACHE_ENCODEFUNCTION_H
#define ATTN_PASSES_CACHE_ENCODEFUNCTION_H

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn {

/// A copy of the model that writes the keys and values of `attentions`, which
/// depend on no token, at `offsets` of the pages of one sequence, and computes
/// nothing else.
mlir::func::FuncOp makeEncodeFunction(mlir::func::FuncOp model,
                                      llvm::ArrayRef<AttentionOp> attentions,
                                      llvm::ArrayRef<int64_t> offsets,
                                      int64_t pageFloats);

/// Says on the encode function how many positions it writes; the model is as it
/// was before its step was derived.
mlir::LogicalResult setMemoryLength(mlir::func::FuncOp model,
                                    mlir::func::FuncOp encode,
                                    llvm::ArrayRef<AttentionOp> attentions);

/// Appends an argument with its public name, which is its role, and names of
/// dynamic dimensions.
mlir::BlockArgument addModelInput(mlir::func::FuncOp function,
                                  llvm::StringRef name,
                                  mlir::RankedTensorType type,
                                  llvm::ArrayRef<llvm::StringRef> dims);

/// Appends the cache, f32[page_count, pageFloats], which is written in place.
mlir::BlockArgument addCacheInput(mlir::func::FuncOp function,
                                  int64_t pageFloats);

/// The offset of an entry in a page, a tensor as a parameter is.
mlir::Value pageOffset(mlir::OpBuilder &builder, mlir::Location loc,
                       int64_t floats);

} // namespace attn

#endif // ATTN_PASSES_CACHE_ENCODEFUNCTION_H
