// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a tensor as a scalar expression: what a chain of elementwise
// ops, reshapes and slices computes for given coordinates.

#ifndef ATTN_PASSES_RAISE_ELEMENTREADER_H
#define ATTN_PASSES_RAISE_ELEMENTREADER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SetVector.h"

namespace attn {

/// Builds, at its builder's place, the scalar that `read` asks for. Elementwise
/// ops are computed again at that coordinate; what is not worth that, or cannot
/// be, is a capture.
class ElementReader {
public:
  using Value = mlir::Value;

  /// `row` and `column` are the coordinates i and j of a score. `block` is the
  /// one that the builder writes to; captures become its last arguments.
  ElementReader(mlir::OpBuilder &builder, mlir::Block &block, Value row,
                Value column)
      : builder(builder), block(block), row(row), column(column) {}

  /// From now on the element of `tensor` at exactly `coordinates` is `scalar`;
  /// at others it cannot be read.
  void define(Value tensor, mlir::ArrayRef<Value> coordinates, Value scalar);

  /// From now on the size of that dimension, where an expression uses it, is
  /// `scalar`.
  void defineSize(Value tensor, unsigned dimension, Value scalar);

  /// Results of these ops are always computed, never captured.
  void inlineAlways(const llvm::SetVector<mlir::Operation *> &ops);

  /// The element of `tensor` there, or failure with a reason.
  mlir::FailureOr<Value> read(Value tensor, mlir::ArrayRef<Value> coordinates);

  /// Tensors that were captured, in the order of their block arguments.
  mlir::ArrayRef<Value> getCaptures() const { return captures; }

  /// Why the last `read` failed.
  llvm::StringRef getReason() const { return reason; }

private:
  struct Element {
    Value tensor;
    mlir::SmallVector<Value> coordinates;
    Value scalar;
  };
  struct Size {
    Value tensor;
    unsigned dimension;
    Value scalar;
  };

  bool isComputed(mlir::linalg::GenericOp op,
                  mlir::ArrayRef<Value> coordinates) const;
  bool readsRowAndColumn(mlir::ArrayRef<Value> coordinates) const;
  mlir::FailureOr<Value> readGeneric(mlir::linalg::GenericOp op,
                                     mlir::ArrayRef<Value> coordinates);
  mlir::FailureOr<Value> readMoved(mlir::Operation *op,
                                   mlir::ArrayRef<Value> coordinates);
  Value readCapture(Value tensor, mlir::ArrayRef<Value> coordinates);
  mlir::LogicalResult bindOutside(Value scalar, mlir::IRMapping &mapping);
  mlir::SmallVector<Value> mapCoordinates(mlir::AffineMap map,
                                          mlir::ArrayRef<Value> coordinates);
  Value getIndex(int64_t value);
  mlir::Location getLoc() const { return row.getLoc(); }

  mlir::OpBuilder &builder;
  mlir::Block &block;
  Value row, column;
  llvm::SetVector<mlir::Operation *> computed;
  mlir::SmallVector<Element> elements;
  mlir::SmallVector<Size> sizes;
  mlir::SmallVector<Value> captures;
  unsigned firstCapture = block.getNumArguments();
  llvm::DenseMap<int64_t, Value> indices;
  std::string reason;
};

} // namespace attn

#endif // ATTN_PASSES_RAISE_ELEMENTREADER_H
