// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a loop nest reads a tensor: an affine map from loop indices to elements.

#ifndef ATTN_CODEGEN_REFERENCE_ACCESS_H
#define ATTN_CODEGEN_REFERENCE_ACCESS_H

#include "codegen/reference/Array.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Operation.h"

namespace attn::reference {

/// element = start + sum over loops of index * stride, in row-major positions.
struct Access {
  int64_t start = 0;
  llvm::SmallVector<int64_t> strides;

  /// Checks that every element that loops of these sizes reach lies in `shape`,
  /// and that a dimension indexed by one loop alone has that loop's size.
  /// `what` names the tensor in the error at `op`.
  static mlir::FailureOr<Access>
  create(mlir::Operation *op, const llvm::Twine &what, mlir::AffineMap map,
         llvm::ArrayRef<int64_t> loopSizes, llvm::ArrayRef<int64_t> shape);

  /// The positions of `count` consecutive iterations from number `first`, the
  /// last loop innermost.
  std::vector<int64_t> positions(llvm::ArrayRef<int64_t> loopSizes,
                                 int64_t first, int64_t count) const;
};

/// array[positions], one element for each lane.
Array gather(const Array &array, llvm::ArrayRef<int64_t> positions);

} // namespace attn::reference

#endif // ATTN_CODEGEN_REFERENCE_ACCESS_H
