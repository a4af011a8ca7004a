// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies of whole rows: slices, concatenations and transposes of a tensor that
// leave its last dimension alone. Row r of what they make is one row of the
// tensor, an index away; partition into windows and cyclic shifts are such
// copies.

#ifndef ATTN_PASSES_ROWCOPIES_H
#define ATTN_PASSES_ROWCOPIES_H

#include "dialect/AttnOps.h"
#include "llvm/ADT/SetVector.h"

namespace attn {

/// The copies and reshapes between `source` and a value made of its rows.
struct RowCopies {
  mlir::Value source;
  llvm::SetVector<mlir::Operation *> operations; ///< in their block's order

  /// Whether anything but reshapes is among them.
  bool movesRows() const;
};

/// How `value`, of any rank and width, is made of rows of one tensor.
RowCopies readRowCopies(mlir::Value value);

/// The copies in front of a linear's input that its kernel reads through: those
/// that nothing else needs. Empty where there are none.
RowCopies absorbedRowCopies(LinearOp linear);

/// The linear that reads through this copy or reshape, or null.
LinearOp findAbsorbingLinear(mlir::Operation *copy);

} // namespace attn

#endif // ATTN_PASSES_ROWCOPIES_H
