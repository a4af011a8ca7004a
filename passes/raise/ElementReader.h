// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a tensor as a scalar expression: what a chain of elementwise
// ops, reshapes and slices computes for given coordinates.

#ifndef ATTN_PASSES_RAISE_ELEMENTREADER_H
#define ATTN_PASSES_RAISE_ELEMENTREADER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"

namespace attn {

/// Builds, at its builder's place, the scalar that `read` asks for. Elementwise
/// ops are computed again at that coordinate; what is not worth that, or cannot
/// be, is a capture.
///
/// Roots are what the expression is about: a subclass says which operations
/// stand for one. What leads to a root is always computed. One coordinate may
/// be a lane, a whole dimension at once: what depends on it is a vector
/// tensor<width>, and so is the result.
class ElementReader {
public:
  using Value = mlir::Value;
  using Coordinates = mlir::ArrayRef<Value>;

  /// The coordinates i and j of a score, and how many there are of each.
  struct Frame {
    Value row, column, rows, columns;
  };
  /// `block` is the one that the builder writes to; captures become its last
  /// arguments.
  ElementReader(mlir::OpBuilder &builder, mlir::Block &block, Frame frame)
      : builder(builder), block(block), row(frame.row), column(frame.column),
        rows(frame.rows), columns(frame.columns) {}
  virtual ~ElementReader() = default;

  /// The element of `tensor` there, or failure with a reason.
  mlir::FailureOr<Value> read(Value tensor, Coordinates coordinates);

  /// From now on the size of that dimension, where an expression uses it, is
  /// `scalar`.
  void defineSize(Value tensor, unsigned dimension, Value scalar);

  /// Tensors that were captured, in the order of their block arguments.
  mlir::ArrayRef<Value> getCaptures() const { return captures; }

  /// True for roots and for what is computed from them.
  bool isDerived(Value scalar) const { return derived.contains(scalar); }

  /// The operations whose results were computed from roots.
  const llvm::SetVector<mlir::Operation *> &getChain() const { return chain; }

  /// Where results of the chain were read, and what they are there.
  struct Element {
    Value tensor;
    mlir::SmallVector<Value> coordinates;
    Value scalar;
  };
  mlir::ArrayRef<Element> getElements() const { return elements; }

  /// Why the last `read` failed.
  llvm::StringRef getReason() const { return reason; }

protected:
  /// The root that the result of `op` is at `coordinates`; nothing where it is
  /// none.
  virtual std::optional<mlir::FailureOr<Value>>
  readRoot(mlir::Operation *op, Coordinates coordinates) = 0;

  /// The elements of `tensor` along a lane, at a place that is not both row and
  /// column.
  virtual mlir::FailureOr<Value> readVector(Value tensor,
                                            Coordinates coordinates) = 0;

  mlir::FailureOr<Value> fail(const llvm::Twine &why);
  void addRoot(Value scalar) { derived.insert(scalar); }
  void addToChain(mlir::Operation *op) { chain.insert(op); }
  /// What `read` gives, if it is derived; nothing where it is not, or where
  /// reading failed before it met a root.
  std::optional<mlir::FailureOr<Value>> tryRead(Value tensor,
                                                Coordinates coordinates);
  /// A coordinate that stands for all of a dimension of that size.
  Value addLane(int64_t width);
  bool isLane(Value coordinate) const { return lanes.contains(coordinate); }
  bool hasLane(Coordinates coordinates) const;
  bool readsRowAndColumn(Coordinates coordinates) const;
  /// A scalar of the kind of `op`, from scalars or vectors.
  mlir::FailureOr<Value> create(mlir::Operation &op, mlir::IRMapping &mapping);
  Value readCapture(Value tensor, Coordinates coordinates);
  /// The elements of `tensor` along the lane that its last dimension is.
  mlir::FailureOr<Value> readCapturedVector(Value tensor,
                                            Coordinates coordinates);
  Value getCaptureArgument(Value tensor);
  mlir::SmallVector<Value> mapCoordinates(mlir::AffineMap map,
                                          Coordinates coordinates);
  Value getIndex(int64_t value);
  mlir::Location getLoc() const { return row.getLoc(); }

  mlir::OpBuilder &builder;
  mlir::Block &block;
  const Value row, column, rows, columns;
  /// Elementwise ops are followed wherever they stand.
  bool computesAll = false;

private:
  struct Size {
    Value tensor;
    unsigned dimension;
    Value scalar;
  };

  mlir::FailureOr<Value> readNew(Value tensor, Coordinates coordinates);
  mlir::FailureOr<Value> readMap(mlir::linalg::GenericOp op,
                                 Coordinates coordinates);
  bool isComputed(mlir::linalg::GenericOp op) const;
  mlir::FailureOr<Value> readLogarithmicMask(mlir::linalg::GenericOp op,
                                             Coordinates coordinates);
  mlir::FailureOr<Value> readGeneric(mlir::linalg::GenericOp op,
                                     Coordinates coordinates);
  mlir::FailureOr<Value> readMoved(mlir::Operation *op,
                                   Coordinates coordinates);
  mlir::FailureOr<Value> readSlice(mlir::tensor::ExtractSliceOp op,
                                   Coordinates coordinates);
  mlir::LogicalResult bindOutside(Value scalar, mlir::IRMapping &mapping);
  Value findSizeOfElement(Value tensor, unsigned dimension) const;

  /// Made of a tensor over rows and columns, or of functions: not computed
  /// again unless derived.
  bool isCostly(Value scalar) const { return costly.contains(scalar); }

  llvm::DenseSet<Value> derived, costly;
  llvm::SetVector<mlir::Operation *> chain;
  mlir::Block laneBlock;
  llvm::DenseSet<Value> lanes;
  mlir::SmallVector<Element> elements;
  mlir::SmallVector<Size> sizes;
  mlir::SmallVector<Value> captures;
  unsigned firstCapture = block.getNumArguments();
  llvm::DenseMap<int64_t, Value> indices;
  std::string reason;
  unsigned depth = 0;
};

} // namespace attn

#endif // ATTN_PASSES_RAISE_ELEMENTREADER_H
