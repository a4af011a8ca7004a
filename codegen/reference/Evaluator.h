// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reference: attn IR evaluated in f64 by plain loops, op by op, with
// nothing in common with the generated kernels.

#ifndef ATTN_CODEGEN_REFERENCE_EVALUATOR_H
#define ATTN_CODEGEN_REFERENCE_EVALUATOR_H

#include "codegen/reference/Array.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace attn::reference {

/// Gives the weight of that name. It is asked when the weight is first used,
/// and the array is dropped after its last use, so a model need not fit in
/// memory as doubles.
using WeightLookup = llvm::function_ref<llvm::Expected<Array>(
    llvm::StringRef name, mlir::RankedTensorType expected)>;

/// Receives each result of an operation marked `attn.tap`, in the order of
/// evaluation; the second and further results as "name#1", ...
using TapCallback =
    llvm::function_ref<void(llvm::StringRef name, const Array &value)>;

/// Evaluates a function of the level that frontends build, or what the passes
/// up to outlining and rolling make of it. Rounding casts between
/// floating-point types are not rounded: everything stays double.
///
/// Inputs are checked against the arguments' types, `attn.dims`, `attn.bound`
/// and the function's `attn.dim_max`. Errors are diagnostics at the operation
/// that met them.
mlir::FailureOr<llvm::SmallVector<Array>>
evaluateFunction(mlir::func::FuncOp function, llvm::ArrayRef<Array> inputs,
                 WeightLookup weights, TapCallback onTap);

/// Evaluates the region of a parameter: what the weights file stores for it.
mlir::FailureOr<Array> evaluateParameter(ParameterOp parameter,
                                         WeightLookup weights);

/// Evaluates a region of one block that uses nothing from above, with
/// `arguments` for its block arguments; returns what its terminator yields.
mlir::FailureOr<llvm::SmallVector<Array>>
evaluateRegion(mlir::Region &region, llvm::ArrayRef<Array> arguments,
               WeightLookup weights);

} // namespace attn::reference

#endif // ATTN_CODEGEN_REFERENCE_EVALUATOR_H
