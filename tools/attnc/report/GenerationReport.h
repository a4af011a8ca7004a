// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `attnc bench --generate` measured.

#ifndef ATTN_TOOLS_ATTNC_REPORT_GENERATIONREPORT_H
#define ATTN_TOOLS_ATTNC_REPORT_GENERATIONREPORT_H

#include "tools/attnc/report/BenchReport.h"

namespace attn::tool {

struct GenerationReport {
  std::string name, isa;
  size_t threads = 1;
  int64_t batch = 1;  ///< sequences
  int64_t tokens = 0; ///< of each one's prompt
  /// Dimensions of what an encoder reads for each one; none where nothing is
  /// encoded.
  std::vector<std::pair<std::string, int64_t>> sourceSizes;
  bool encodes = false;
  double openSeconds = 0;
  double encodeSeconds = 0;    ///< of all prompts
  double promptSeconds = 0;    ///< of all prompts, to their first new tokens
  std::vector<double> seconds; ///< of each step after that, ascending
  /// What the steps cannot do without reading, mean: weights, and keys and
  /// values of all earlier positions.
  double bytesPerStep = 0;
  std::vector<double> readRates; ///< bytes per second, ascending
  uint64_t weightsBytes = 0, cacheBytes = 0;
  std::vector<KernelTime> kernels; ///< of a step, slowest first, with bytes of
                                   ///< weights; empty unless asked for

  double median() const { return seconds[seconds.size() / 2]; }
  /// The fastest, as what is compared with it is the fastest step.
  double readRate() const { return readRates.back(); }
  /// Of the fastest step.
  double stepReadRate() const { return bytesPerStep / seconds.front(); }
  void print(llvm::raw_ostream &os) const;
  void printJson(llvm::raw_ostream &os) const;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_GENERATIONREPORT_H
