// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What operations cost, as polynomials in a model's dynamic dimensions.

#ifndef ATTN_PASSES_COST_H
#define ATTN_PASSES_COST_H

#include "dialect/AttnOps.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "passes/plan/SymbolicShapes.h"

namespace attn {

/// The work of an operation or of a whole function.
struct Cost {
  /// Floating point operations of matrix products, a multiply-add counted as
  /// two; of attention, those of values and of vectors of each pair, with
  /// nothing masked.
  DimExpr flops;
  /// Bytes of operands read and results written, each once; of the tables of
  /// embeddings only the rows looked up.
  DimExpr bytes;

  /// Null where a coefficient overflows.
  static std::optional<Cost> add(const Cost &a, const Cost &b);
};

/// How often the body of a loop over layers runs, or of a scan; null where the
/// number of layers is no constant.
std::optional<DimExpr> iterationsOf(mlir::LoopLikeOpInterface loop,
                                    const SymbolicShapes &shapes);

/// The cost of one operation, null where 64 bits do not hold it. Launches cost
/// what their kernels do; bodies of loops and scans as many times as they run.
std::optional<Cost> costOf(mlir::Operation *op, const SymbolicShapes &shapes);

/// Bytes of weights that a launch reads, each once; of the tables of embeddings
/// only the rows looked up. Null where 64 bits do not hold it.
std::optional<DimExpr> weightBytesOf(LaunchOp launch,
                                     const SymbolicShapes &shapes);

/// The sum over a function.
mlir::FailureOr<Cost> costOf(mlir::func::FuncOp function);

/// The value of a polynomial at given sizes, as a double: for estimates.
double evaluate(const DimExpr &value, llvm::ArrayRef<int64_t> sizes);

} // namespace attn

#endif // ATTN_PASSES_COST_H
