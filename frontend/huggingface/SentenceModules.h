// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// modules.json of sentence-transformers: what follows a model to make
// embeddings of its tokens' states.

#ifndef ATTN_FRONTEND_HUGGINGFACE_SENTENCEMODULES_H
#define ATTN_FRONTEND_HUGGINGFACE_SENTENCEMODULES_H

#include "frontend/huggingface/Config.h"
#include "frontend/weights/Tensor.h"

namespace attn::hf {

/// The entry of a description that computes sentence embeddings.
constexpr llvm::StringLiteral kSentenceEntry = "SentenceTransformer";

/// Whether the directory has modules.json.
bool hasSentenceModules(llvm::StringRef directory);

/// Adds what the modules are to the config's values, for descriptions:
/// `sentence_modules`, a list of
///   {"type": "Pooling", "modes": ["mean", ...]}
///   {"type": "Dense", "path": "2_Dense", "width": 8, "bias": true,
///    "activation": "tanh"}
///   {"type": "Normalize"}
/// and `sentence_width`, how wide the last one's output is. Modules and
/// settings beyond these are errors.
llvm::Error readSentenceModules(llvm::StringRef directory, Config &config);

/// Adds the weights of Dense modules to the model's, under `PATH.`.
llvm::Error addModuleWeights(llvm::StringRef directory, const Config &config,
                             weights::TensorTable &table);

} // namespace attn::hf

#endif
