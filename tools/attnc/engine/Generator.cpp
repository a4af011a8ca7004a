// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A generator of the runtime that an engine's model works for.

#include "tools/attnc/engine/Generator.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

Expected<Generator>
attn::tool::createGenerator(const Engine &engine,
                            const attn_generator_options &options) {
  attn_generator *generator;
  attn_error error;
  if (attn_generator_create(&engine.program(), engine.handle(), &options,
                            &generator, &error) != ATTN_OK)
    return createStringError(inconvertibleErrorCode(), error.message);
  return Generator(generator);
}
