// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prompts for who only wants to see a model generate.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_RANDOMPROMPTS_H
#define ATTN_TOOLS_ATTNC_COMMANDS_RANDOMPROMPTS_H

#include "tools/attnc/commands/Prompts.h"
#include "tools/attnc/commands/Sizes.h"

namespace attn::tool {

struct PromptSizes {
  int64_t count = 1;
  int64_t tokens = 1; ///< of the longest prompt
  /// Dimensions of what an encoder reads, as attn_request takes them, and their
  /// names.
  std::vector<int64_t> source;
  std::vector<std::string> sourceNames;
};

/// What --batch and --size say of "batch", of "tokens" and of the dimensions of
/// what an encoder reads, else `usual`. `newTokens` have room behind a prompt.
llvm::Expected<PromptSizes> choosePromptSizes(const CommandLine &line,
                                              const attn_program &program,
                                              int64_t newTokens,
                                              UsualSize usual);

enum class PromptLengths {
  Equal,
  Falling ///< each prompt and what its encoder reads is shorter than the last
};

/// Prompts for a program with a cache. The same seed gives the same ones.
llvm::Expected<std::vector<Prompt>> randomPrompts(const attn_program &program,
                                                  const PromptSizes &sizes,
                                                  PromptLengths lengths,
                                                  uint64_t seed);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_RANDOMPROMPTS_H
