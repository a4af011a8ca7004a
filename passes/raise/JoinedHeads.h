// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over [batch * heads, rows, width], as it was before reshapes joined
// batch and heads.

#ifndef ATTN_PASSES_RAISE_JOINEDHEADS_H
#define ATTN_PASSES_RAISE_JOINEDHEADS_H

#include "mlir/IR/PatternMatch.h"

namespace attn {

/// f(join(x), ...) => join(f(x, ...)) for products, softmax, transposes and
/// elementwise ops, and split(join(x)) => x, where `join` is the reshape
/// [B, H, M, D] to [B H, M, D].
void populateSplitJoinedHeads(mlir::RewritePatternSet &patterns);

} // namespace attn

#endif // ATTN_PASSES_RAISE_JOINEDHEADS_H
