// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times the runs of a compiled library in this process.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_MEASURE_H
#define ATTN_TOOLS_ATTNC_COMMANDS_MEASURE_H

#include "tools/attnc/CommandLine.h"
#include "tools/attnc/engine/Launches.h"
#include "tools/attnc/report/BenchReport.h"

namespace attn::tool {

struct BenchOptions {
  size_t threads = 1;
  uint64_t seed = 1;
  size_t repeat = 0; ///< 0: for two seconds
  bool byKernel = false;
};
llvm::Expected<BenchOptions> readBenchOptions(const CommandLine &line);

/// All launches of each kernel, slowest first, from the seconds that each
/// launch took in each run and its work.
std::vector<KernelTime> sumByKernel(llvm::ArrayRef<Launch> launches,
                                    llvm::ArrayRef<std::vector<double>> seconds,
                                    llvm::ArrayRef<double> work);

/// Opens the library and runs it on the inputs that the command line states.
/// --fma-kernel names the library that measures the machine's peak.
llvm::Expected<BenchReport> measureLibrary(const CommandLine &line,
                                           llvm::StringRef path,
                                           const BenchOptions &options);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_MEASURE_H
