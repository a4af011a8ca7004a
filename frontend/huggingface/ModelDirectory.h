// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model directory as transformers' save_pretrained writes it.

#ifndef ATTN_FRONTEND_HUGGINGFACE_MODELDIRECTORY_H
#define ATTN_FRONTEND_HUGGINGFACE_MODELDIRECTORY_H

#include "frontend/huggingface/Config.h"
#include "frontend/weights/Tensor.h"
#include <optional>

namespace attn::hf {

struct ModelDirectory {
  std::string path;
  Config config;
  weights::TensorTable weights;
  /// The text of preprocessor_config.json, which vision models have.
  std::optional<std::string> preprocessor;

  std::string preprocessorPath() const;
};

/// Reads config.json, maps the weights and checks their headers.
llvm::Expected<ModelDirectory> openModelDirectory(llvm::StringRef path);

} // namespace attn::hf

#endif
