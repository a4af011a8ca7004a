// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How many pairs of a query and a key an attention kernel looks at, found out
// ahead of a run by the kernel's own analysis of keep.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_KEPTPAIRS_H
#define ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_KEPTPAIRS_H

#include "codegen/target/TargetSpec.h"
#include "dialect/AttnOps.h"

#include <optional>
#include <vector>

namespace attn::cpu {

struct AttentionSizes {
  int64_t batches, heads, queries, keys;
};

/// A captured tensor as a run would find it.
struct CaptureValues {
  llvm::SmallVector<int64_t> shape;
  /// Row-major; none where they are not known.
  std::optional<std::vector<int64_t>> integers;
};

/// Pairs of all batches and heads by what becomes of the block of queries and
/// keys that they lie in.
struct PairCounts {
  double skipped = 0; ///< keep excludes the whole block: not computed
  double whole = 0;   ///< keep admits the whole block: computed, not asked
  double asked = 0;   ///< computed, and keep asked for each pair

  double all() const { return skipped + whole + asked; }
  double computed() const { return whole + asked; }
};

/// The counts at these sizes. Blocks that depend on captures without values
/// count as asked, so that `skipped` and `whole` are what is certain.
PairCounts countPairs(AttentionOp op, const AttentionSizes &sizes,
                      llvm::ArrayRef<CaptureValues> captures,
                      const TargetSpec &target);

/// Operations of `op`'s keep at which intervals stop to know anything: why it
/// is asked for pairs that a block might have decided.
llvm::SmallVector<mlir::Operation *> findKeepObstacles(AttentionOp op);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_SPARSITY_KEPTPAIRS_H
