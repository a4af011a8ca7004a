// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rewrites of the tensors that a region of an attn operation captures.

#ifndef ATTN_DIALECT_REGIONCAPTURES_H
#define ATTN_DIALECT_REGIONCAPTURES_H

#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Region.h"

namespace attn {

/// Whether the region is one block that yields just its index-th argument.
bool yieldsArgument(mlir::Region &region, unsigned index);

/// Finds the captures that `regions` need: used by one of them, and not equal
/// to an earlier one (`same` compares what else belongs to two captures). Where
/// some are not needed, rewrites the regions' block arguments, of which those
/// of the captures begin at `firstArgument`, and returns the indices that
/// stay; the caller drops the operands.
llvm::SmallVector<unsigned>
simplifyCaptures(mlir::RewriterBase &rewriter, mlir::Operation *op,
                 mlir::ValueRange captures,
                 llvm::ArrayRef<mlir::Region *> regions, unsigned firstArgument,
                 llvm::function_ref<bool(unsigned, unsigned)> same);

/// Keeps the operands of these ascending indices.
void keepOperands(mlir::MutableOperandRange operands,
                  llvm::ArrayRef<unsigned> kept);

} // namespace attn

#endif // ATTN_DIALECT_REGIONCAPTURES_H
