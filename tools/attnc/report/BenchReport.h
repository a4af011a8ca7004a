// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `attnc bench` measured.

#ifndef ATTN_TOOLS_ATTNC_REPORT_BENCHREPORT_H
#define ATTN_TOOLS_ATTNC_REPORT_BENCHREPORT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace attn::tool {

/// All launches of one kernel in one run.
struct KernelTime {
  std::string kernel;
  unsigned calls = 0;
  double seconds = 0; ///< each launch's median over the runs, summed
  double work = 0;    ///< floating point operations, or bytes
};

/// What a table of kernels says of their work.
struct WorkColumns {
  llvm::StringRef first, second; ///< headings
  /// Both cells of a kernel that has work.
  llvm::function_ref<std::pair<std::string, std::string>(const KernelTime &)>
      cells;
};

/// Prints `kernels` and what of `seconds` passes between them.
void printKernels(llvm::raw_ostream &os, llvm::ArrayRef<KernelTime> kernels,
                  double seconds, const WorkColumns &work);

struct BenchReport {
  std::string name, isa;
  std::vector<std::pair<std::string, int64_t>> dims;
  size_t threads = 1;
  double flops = 0; ///< of one run, without keys that are left out
  /// Whether flops counts keys that are left out all the same: a library does
  /// not tell which.
  bool countsLeftOut = false;
  double openSeconds = 0;      ///< of opening the model, weights included
  std::vector<double> seconds; ///< of each run, ascending
  std::vector<double> peaks;   ///< flops per second, ascending
  uint64_t workspaceBytes = 0, weightsBytes = 0;
  uint64_t residentBytesBefore = 0, peakResidentBytes = 0;
  std::vector<KernelTime> kernels; ///< slowest first; empty unless asked for

  double median() const { return seconds[seconds.size() / 2]; }
  double peak() const { return peaks[peaks.size() / 2]; }
  void print(llvm::raw_ostream &os) const;
  void printJson(llvm::raw_ostream &os) const;
};

/// Bytes that /proc/self/status gives for `field`, such as "VmHWM".
std::optional<uint64_t> readMemoryStatus(llvm::StringRef field);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_BENCHREPORT_H
