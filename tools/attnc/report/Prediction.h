// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The time that a target's measured constants predict.

#ifndef ATTN_TOOLS_ATTNC_REPORT_PREDICTION_H
#define ATTN_TOOLS_ATTNC_REPORT_PREDICTION_H

#include "codegen/target/TargetSpec.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace attn::tool {

/// Time on some cores: arithmetic and memory overlap, so the longer counts.
double predictSeconds(double flops, double bytes, const TargetSpec &target,
                      size_t threads = 1);

/// The sum over the launches of a planned model, with the size of each dynamic
/// dimension from `sizeOf`.
llvm::Expected<double>
predictSeconds(mlir::func::FuncOp planned, const TargetSpec &target,
               size_t threads,
               llvm::function_ref<int64_t(llvm::StringRef)> sizeOf);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_PREDICTION_H
