// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What became of each operation of a model, and what it is predicted to cost.

#ifndef ATTN_TOOLS_ATTNC_REPORT_EXPLAIN_H
#define ATTN_TOOLS_ATTNC_REPORT_EXPLAIN_H

#include "codegen/target/TargetSpec.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/attnc/report/Explanation.h"
#include "llvm/Support/Error.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace attn::tool {

/// A pass's word on an operation, wherever in equal layers it stood.
struct RemarkRecord {
  std::string place, operation, pass, text;
  bool isDone; ///< else declined
  bool operator==(const RemarkRecord &) const = default;
};

/// Sizes of dynamic dimensions by name, and inputs if there are any.
struct ExplainedRun {
  std::vector<std::pair<std::string, int64_t>> sizes;
  llvm::ArrayRef<weights::Tensor> inputs; ///< see KnownRun
};

/// Watches a model on its way through the passes.
class Explainer {
public:
  /// Before the first pass: notes what operations there are, and listens to
  /// the passes from now on.
  explicit Explainer(mlir::func::FuncOp function);

  /// For each kernel of a planned model what operations it runs, where they
  /// were written, whether they were fused and why, its tile and its cost on
  /// the target, and what its attention leaves out. Equal models give equal
  /// explanations.
  llvm::Expected<Explanation> explain(mlir::func::FuncOp planned,
                                      const TargetSpec &target,
                                      const ExplainedRun &run) const;

private:
  /// The operations written at a place, by name, each once.
  std::map<std::string, std::vector<std::string>> operations;
  /// Shared with the context, which may live longer.
  std::shared_ptr<std::vector<RemarkRecord>> remarks;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_EXPLAIN_H
