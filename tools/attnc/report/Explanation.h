// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `attnc compile --explain` tells, ready to print.

#ifndef ATTN_TOOLS_ATTNC_REPORT_EXPLANATION_H
#define ATTN_TOOLS_ATTNC_REPORT_EXPLANATION_H

#include "tools/attnc/report/AttentionReport.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace attn::tool {

/// An operation as it was written, and a pass's word on it, if one had any.
struct OperationFate {
  std::string place, operation;
  std::string pass, text; ///< empty where no pass said anything
  bool isDone = false;    ///< fused; else declined
};

/// The launches of a kernel at one place of a model.
struct KernelExplanation {
  std::string kernel;
  int64_t times = 1;
  std::string tile;
  double flops = 0, bytes = 0, seconds = 0; ///< of one launch
  std::optional<AttentionReport> attention;
  std::vector<OperationFate> operations;
};

struct Explanation {
  std::string name, target;
  double gflops = 0, memoryGigabytes = 0; ///< of one core
  std::vector<std::pair<std::string, int64_t>> sizes;
  std::vector<KernelExplanation> kernels;
  /// What passes said of operations that are part of no kernel.
  std::vector<OperationFate> others;

  double seconds() const;
  void print(llvm::raw_ostream &os) const;
  llvm::json::Value toJson() const;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_EXPLANATION_H
