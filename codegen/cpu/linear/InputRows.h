// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the rows of a linear's input lie, behind the copies that its kernel
// reads through.

#ifndef ATTN_CODEGEN_CPU_LINEAR_INPUTROWS_H
#define ATTN_CODEGEN_CPU_LINEAR_INPUTROWS_H

#include "codegen/cpu/tiles/TileBuilder.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace attn::cpu {

class InputRows {
public:
  InputRows(TileBuilder &b, LinearOp op);

  /// Whether rows lie in another order than those of the result.
  static bool areMoved(LinearOp op);

  /// Where they lie, [rows, columns], and how many there are to multiply.
  Value memory, count;
  /// The row of memory that is row `row` of the input.
  Value at(Value row);

private:
  using Coordinates = llvm::SmallVector<Value>;

  Value rowOf(Value tensor, Value row);
  Value rowOfConcat(mlir::tensor::ConcatOp concat, Value row);
  Coordinates split(Value tensor, Value row);
  Value join(Value tensor, llvm::ArrayRef<Value> coordinates);

  TileBuilder &b;
  LinearOp op;
  Value source; ///< null where rows are not moved
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_LINEAR_INPUTROWS_H
