// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model directory as transformers' save_pretrained writes it, but for its
// weights.

#ifndef ATTN_FRONTEND_HUGGINGFACE_MODELDIRECTORY_H
#define ATTN_FRONTEND_HUGGINGFACE_MODELDIRECTORY_H

#include "frontend/huggingface/Config.h"
#include <optional>

namespace attn::hf {

struct ModelDirectory {
  std::string path;
  Config config;
  /// The text of preprocessor_config.json, which vision models have.
  std::optional<std::string> preprocessor;

  std::string preprocessorPath() const;
};

/// Reads config.json, or `config` in its place, and preprocessor_config.json.
llvm::Expected<ModelDirectory> openModelDirectory(llvm::StringRef path,
                                                  llvm::StringRef config = "");

} // namespace attn::hf

#endif
