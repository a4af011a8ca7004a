// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise linalg.generic ops: matching them, and copying what they do to
// one element into the region of another operation.

#ifndef ATTN_PASSES_ELEMENTWISE_H
#define ATTN_PASSES_ELEMENTWISE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace attn {

/// True where `op` computes each element of its one result from elements of
/// its inputs: parallel loops, a result map that is a permutation, and input
/// maps made of distinct loops and constants.
bool isElementwise(mlir::linalg::GenericOp op);

/// `value`'s defining op where that is elementwise, else null.
mlir::linalg::GenericOp getElementwise(mlir::Value value);

/// Where an elementwise op reads `input`: from coordinates of its result to
/// those of the input.
mlir::AffineMap getReadMap(mlir::linalg::GenericOp op, mlir::OpOperand *input);

/// True where `op` uses the coordinates of the element that it computes.
bool usesIndices(mlir::linalg::GenericOp op);

/// A value that `body` uses, is defined outside and is no scalar constant, so
/// that the body cannot be copied into an isolated region; else null.
mlir::Value findOutsideValue(mlir::Block &body);

/// Copies the operations of `body` but its terminator, and the constants it
/// uses from outside, to the builder's place. `mapping` holds the values of
/// the block arguments; it then holds those of the copies.
void cloneScalars(mlir::OpBuilder &builder, mlir::Block &body,
                  mlir::IRMapping &mapping);

} // namespace attn

#endif // ATTN_PASSES_ELEMENTWISE_H
