// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What one run of a compiled model launches, as its library describes it.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_LAUNCHES_H
#define ATTN_TOOLS_ATTNC_ENGINE_LAUNCHES_H

#include "attn/abi.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Cost.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace attn::tool {

/// The attention that a launch's kernel is, or null.
AttentionOp attentionOf(LaunchOp launch);

/// The launches of a planned model for its description, in order:
/// {"kernel": "linear_0", "flops": [[2048, "batch", "sequence"], [64]],
/// "weight_bytes": [[4096]]}, the terms of polynomials, with "keep": true where
/// a run may compute less; or {"repeat": 12, "launches": [...]}, where "repeat"
/// is a polynomial in a scan of a dynamic number of steps.
llvm::Expected<llvm::json::Array> describeLaunches(mlir::func::FuncOp planned);

struct Launch {
  std::string kernel;
  /// Polynomials in the program's dims.
  DimExpr flops, weightBytes;
  /// An attention that may leave keys out, which `flops` counts.
  bool hasKeep = false;
};

/// The launches of one run in order, loops expanded, from the program's
/// description. `dims` are the sizes of its dimensions, needed for scans.
llvm::Expected<std::vector<Launch>> readLaunches(const attn_program &program,
                                                 llvm::ArrayRef<int64_t> dims);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_LAUNCHES_H
