// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Computes what stands behind the last attention for some rows only.

#ifndef ATTN_PASSES_CACHE_LASTROWS_H
#define ATTN_PASSES_CACHE_LASTROWS_H

#include "passes/cache/TokenRows.h"

namespace attn {

/// Replaces the function's only result by its rows `picked`, a tensor<S x i64>
/// of rows among the tokens. They are picked in front of the operations that no
/// attention needs. `count` is S.
void pickResultRows(mlir::func::FuncOp function, const TokenRows &tokens,
                    mlir::Value picked, mlir::Value count);

} // namespace attn

#endif // ATTN_PASSES_CACHE_LASTROWS_H
