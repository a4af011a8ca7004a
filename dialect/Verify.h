// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that the verifiers of several attn operations share, and their words.

#ifndef ATTN_DIALECT_VERIFY_H
#define ATTN_DIALECT_VERIFY_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Region.h"
#include <string>

namespace attn {

/// A tensor of an operation and what diagnostics call it.
struct NamedTensor {
  std::string name;
  mlir::RankedTensorType type;

  NamedTensor(llvm::StringRef name, mlir::Value value);
  /// The index-th of several: "query 1".
  NamedTensor(llvm::StringRef name, unsigned index, mlir::Value value);
};

/// One dimension of a tensor; a negative one counts from the back.
struct NamedDim {
  const NamedTensor &tensor;
  unsigned dim;

  NamedDim(const NamedTensor &tensor, int dim);
  int64_t size() const { return tensor.type.getDimSize(dim); }
};

mlir::LogicalResult expectRank(mlir::Operation *op, const NamedTensor &tensor,
                               int64_t rank);

/// Fails where both are static and differ.
mlir::LogicalResult expectSameSize(mlir::Operation *op, NamedDim a, NamedDim b);

mlir::LogicalResult expectStatic(mlir::Operation *op, NamedDim dim);
mlir::LogicalResult expectStaticShape(mlir::Operation *op,
                                      const NamedTensor &tensor);

/// Fails where the shapes differ; dynamic sizes of either fit anything.
mlir::LogicalResult expectShape(mlir::Operation *op, const NamedTensor &tensor,
                                llvm::ArrayRef<int64_t> shape);

/// Fails unless `region` is one block with these arguments whose attn.yield
/// gives one value of type `yielded`, and all operations are free of effects.
/// `name` is what diagnostics call the region.
mlir::LogicalResult expectRegion(mlir::Operation *op, mlir::Region &region,
                                 llvm::StringRef name,
                                 mlir::TypeRange arguments, mlir::Type yielded);

/// The same for a region that yields any number of values.
mlir::LogicalResult expectRegion(mlir::Operation *op, mlir::Region &region,
                                 llvm::StringRef name,
                                 mlir::TypeRange arguments,
                                 mlir::TypeRange yielded);

/// A shape as diagnostics spell it: `[2, ?, 64]`.
std::string spellShape(llvm::ArrayRef<int64_t> shape);

} // namespace attn

#endif // ATTN_DIALECT_VERIFY_H
