// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc verify --generate: steps over a cache against the f64 reference.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_VERIFYGENERATION_H
#define ATTN_TOOLS_ATTNC_COMMANDS_VERIFYGENERATION_H

#include "tools/attnc/CommandLine.h"
#include "tools/attnc/report/Comparisons.h"

namespace attn::tool {

/// Generates after random prompts of unequal lengths, all at once, and compares
/// the logits that each new token was chosen from with those of the model as it
/// is written, evaluated over the whole sequence.
llvm::Expected<std::vector<Comparison>>
verifyGeneration(const CommandLine &line, size_t threads, uint64_t seed);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_VERIFYGENERATION_H
