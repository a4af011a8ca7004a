// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Any bytes are a config.json that is refused or can be asked everything.

#include "frontend/huggingface/Config.h"

using namespace attn::hf;
using namespace llvm;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  StringRef text(reinterpret_cast<const char *>(data), size);
  auto config = parseConfig(text, "fuzz");
  if (!config) {
    if (toString(config.takeError()).rfind("fuzz:", 0) != 0)
      abort(); // Every message names the file.
    return 0;
  }
  for (const auto &entry : config->values)
    consumeError(config->errorAt(entry.first, "is here"));
  consumeError(chooseDescription(*config, {"bert", "vit"}).takeError());
  return 0;
}
