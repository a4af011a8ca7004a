// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times prompts and steps of a library compiled for generation.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_MEASUREGENERATION_H
#define ATTN_TOOLS_ATTNC_COMMANDS_MEASUREGENERATION_H

#include "tools/attnc/commands/Measure.h"
#include "tools/attnc/report/GenerationReport.h"

namespace attn::tool {

/// How many tokens `attnc bench --generate` adds to each prompt.
llvm::Expected<int64_t> readBenchTokens(const CommandLine &line);

/// Opens the library and generates after random prompts: --batch of them, of
/// --size tokens=N each.
llvm::Expected<GenerationReport> measureGeneration(const CommandLine &line,
                                                   llvm::StringRef path,
                                                   const BenchOptions &options);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_MEASUREGENERATION_H
