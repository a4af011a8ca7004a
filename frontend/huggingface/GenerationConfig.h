// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a Hugging Face model begins and ends its texts, and what it keeps out of
// them.

#ifndef ATTN_FRONTEND_HUGGINGFACE_GENERATIONCONFIG_H
#define ATTN_FRONTEND_HUGGINGFACE_GENERATIONCONFIG_H

#include "frontend/huggingface/Config.h"
#include <optional>

namespace attn::hf {

/// What generation_config.json says of tokens, or config.json where it says
/// nothing. What it says of sampling, of beams and of the most tokens is the
/// caller's to choose.
struct GenerationConfig {
  std::vector<int64_t> stop;           ///< eos_token_id, one or several.
  std::optional<int64_t> decoderStart; ///< decoder_start_token_id
  std::optional<int64_t> forcedBegin;  ///< forced_bos_token_id
  std::optional<int64_t> padding;      ///< pad_token_id
  std::optional<int64_t> forcedEnd;    ///< forced_eos_token_id
  /// suppress_tokens, and bad_words_ids of one token.
  std::vector<int64_t> suppressed;
  std::vector<int64_t> beginSuppressed; ///< begin_suppress_tokens
  int64_t minLength = 0, minNewTokens = 0, noRepeatNgram = 0;
  double repetitionPenalty = 1;
  /// Settings that change what transformers generates and that are not read
  /// here, each with what to do about it.
  std::vector<std::string> notRead;
};

/// Reads the files of a model directory; `config` is its config.json.
llvm::Expected<GenerationConfig> readGenerationConfig(llvm::StringRef directory,
                                                      const Config &config);

} // namespace attn::hf

#endif
