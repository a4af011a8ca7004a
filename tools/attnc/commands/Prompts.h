// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What generation begins with: token ids, and what an encoder reads.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_PROMPTS_H
#define ATTN_TOOLS_ATTNC_COMMANDS_PROMPTS_H

#include "attn/abi.h"
#include "attn/generate.h"
#include "frontend/huggingface/GenerationConfig.h"
#include "frontend/weights/Tensor.h"
#include "tools/attnc/CommandLine.h"

namespace attn::tool {

struct Prompt {
  std::vector<int64_t> tokens;
  /// So many of the last ones the model forces upon its decoder: 0 or 1.
  size_t forced = 0;
  /// The encoder's inputs and the sizes of their dynamic dimensions, both as
  /// attn_request takes them; empty for a decoder alone.
  std::vector<weights::Tensor> source;
  std::vector<int64_t> sourceDims;
};

/// A request for what follows the prompt. It points into the prompt and into
/// `sources`, which is filled.
attn_request requestFor(const Prompt &prompt,
                        std::vector<const void *> &sources);

/// The prompts of --ids or, row by row, of --inputs, for a program with a
/// cache. Tokens that an attention_mask leaves out are dropped. Decoders of
/// encoder-decoders begin with --decoder-ids, else as `ids` says.
llvm::Expected<std::vector<Prompt>>
readPrompts(const CommandLine &line, const attn_program &program,
            const hf::GenerationConfig &ids);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_PROMPTS_H
