// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a pass tells the user about a candidate: done, or declined and why.

#ifndef ATTN_PASSES_REMARKS_H
#define ATTN_PASSES_REMARKS_H

#include "mlir/IR/Operation.h"

namespace attn {

/// Emits a "passed" remark at `op`: the category is the pass's option, the
/// name is the operation's, `what` says what became of it. Costs nothing
/// unless the context has a remark engine.
void remarkDone(llvm::StringRef pass, mlir::Operation *op,
                const llvm::Twine &what);

/// Emits a "missed" remark at `op`: a candidate that `pass` declined.
void remarkDeclined(llvm::StringRef pass, mlir::Operation *op,
                    const llvm::Twine &reason);

} // namespace attn

#endif // ATTN_PASSES_REMARKS_H
