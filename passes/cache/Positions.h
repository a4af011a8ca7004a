// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What depends on a token's place in a whole sequence, from its position.

#ifndef ATTN_PASSES_CACHE_POSITIONS_H
#define ATTN_PASSES_CACHE_POSITIONS_H

#include "passes/cache/TokenRows.h"

namespace attn {

/// Rewrites coordinates, first rows of tables and running counts to read
/// `position`, a tensor<T x i64>, and records the rows of what it makes.
void readPositions(TokenRows &tokens, mlir::Value position);

} // namespace attn

#endif // ATTN_PASSES_CACHE_POSITIONS_H
