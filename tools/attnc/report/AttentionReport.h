// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What became of an attention: its form, the keys it leaves out, and why not
// more.

#ifndef ATTNC_REPORT_ATTENTIONREPORT_H
#define ATTNC_REPORT_ATTENTIONREPORT_H

#include "tools/attnc/engine/LaunchPairs.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace attn::tool {

struct AttentionReport {
  /// "matrix product", "squared distance", "pair loop", several of them joined
  /// by " and ", or "positions" where no score depends on a query and a key
  /// together.
  std::string form;
  /// Of scores and normaliser; what is read; what else the kernel does.
  std::vector<std::string> lines;
  /// Why sums over the width are no matrix products, and why keep is asked for
  /// pairs; each names a place in the source.
  std::vector<std::string> reasons;
  int64_t blockQueries = 0, blockKeys = 0;
  bool hasKeep = false;
  cpu::PairCounts counts;
  std::vector<std::string> unknownInputs; ///< see LaunchPairs
  /// What elementary functions of a pair cost beside its products, in floating
  /// point operations.
  double functionFlops = 0;

  /// The part of all pairs that is computed.
  double computedShare() const;
  /// Everything but the cost, a line each.
  std::vector<std::string> text() const;
  llvm::json::Object toJson() const;
};

AttentionReport reportAttention(const LaunchPairs &pairs,
                                const TargetSpec &target);

} // namespace attn::tool

#endif // ATTNC_REPORT_ATTENTIONREPORT_H
