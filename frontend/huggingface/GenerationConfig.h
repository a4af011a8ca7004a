// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The token ids by which a Hugging Face model begins and ends its texts.

#ifndef ATTN_FRONTEND_HUGGINGFACE_GENERATIONCONFIG_H
#define ATTN_FRONTEND_HUGGINGFACE_GENERATIONCONFIG_H

#include "frontend/huggingface/Config.h"
#include <optional>

namespace attn::hf {

/// What generation_config.json says of ids, or config.json where it says
/// nothing. What it says of sampling and of beams is the caller's to choose.
struct GenerationConfig {
  std::vector<int64_t> stop;           ///< eos_token_id, one or several.
  std::optional<int64_t> decoderStart; ///< decoder_start_token_id
  std::optional<int64_t> forcedBegin;  ///< forced_bos_token_id
  std::optional<int64_t> padding;      ///< pad_token_id
  std::vector<int64_t> suppressed;     ///< suppress_tokens
};

/// Reads the files of a model directory; `config` is its config.json.
llvm::Expected<GenerationConfig> readGenerationConfig(llvm::StringRef directory,
                                                      const Config &config);

} // namespace attn::hf

#endif
