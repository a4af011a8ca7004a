// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A generator of the runtime that an engine's model works for.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_GENERATOR_H
#define ATTN_TOOLS_ATTNC_ENGINE_GENERATOR_H

#include "attn/generate.h"
#include "tools/attnc/engine/Engine.h"

#include <memory>

namespace attn::tool {

struct DestroyGenerator {
  void operator()(attn_generator *generator) const {
    attn_generator_destroy(generator);
  }
};
using Generator = std::unique_ptr<attn_generator, DestroyGenerator>;

/// Does not outlive the engine.
llvm::Expected<Generator>
createGenerator(const Engine &engine, const attn_generator_options &options);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_GENERATOR_H
