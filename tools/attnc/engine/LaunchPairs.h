// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which pairs of a query and a key the attentions of a planned model look at.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_LAUNCHPAIRS_H
#define ATTN_TOOLS_ATTNC_ENGINE_LAUNCHPAIRS_H

#include "codegen/cpu/attention/sparsity/KeptPairs.h"
#include "frontend/weights/Tensor.h"
#include "passes/plan/SymbolicShapes.h"

#include <string>
#include <vector>

namespace attn::tool {

/// What is known of a run before it.
struct KnownRun {
  std::vector<int64_t> sizes; ///< of the symbols of the planned function
  /// One for each argument of the function; empty where no inputs are given.
  llvm::ArrayRef<weights::Tensor> inputs;
};

/// The attention that a launch is.
struct LaunchPairs {
  AttentionOp attention;
  cpu::PairCounts counts;
  /// See findKeepObstacles.
  llvm::SmallVector<mlir::Operation *> obstacles;
  /// Tensors that decide what blocks keep, and whose values are not known:
  /// inputs that were not given, by name, and what the model computes, by type.
  std::vector<std::string> unknownInputs, unknownValues;
};

/// None where the launch is no attention, or its sizes are not known.
std::optional<LaunchPairs> countLaunchPairs(LaunchOp launch,
                                            const SymbolicShapes &shapes,
                                            const KnownRun &run,
                                            const TargetSpec &target);

/// The part of its pairs that each launch of one run computes, in order, loops
/// expanded; 1 for what is no attention.
std::vector<double> computedShares(mlir::func::FuncOp planned,
                                   const SymbolicShapes &shapes,
                                   const KnownRun &run,
                                   const TargetSpec &target);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_LAUNCHPAIRS_H
