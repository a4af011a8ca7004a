// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Any text is parsed and checked without a crash, in bounded time.

#include "frontend/language/check/Checker.h"
#include "frontend/language/syntax/Parser.h"

using namespace attn::lang;

/// Small values for the config parameters of the seeds.
static const llvm::json::Object &config() {
  static const llvm::json::Value value = llvm::cantFail(llvm::json::parse(R"({
    "image_size": 8, "patch_size": 4, "num_channels": 3, "hidden_size": 8,
    "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
    "vocab_size": 20, "max_position_embeddings": 12, "dim": 8, "n_layers": 1,
    "n_heads": 2, "hidden_dim": 16, "id2label": {"0": "a", "1": "b"},
    "sizes": [1, 2], "nothing": null,
    "args": {"image_size": 8, "patch_size": 4, "num_classes": 3, "dim": 8,
             "depth": 1, "heads": 2, "mlp_dim": 16}})"));
  return *value.getAsObject();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  Diagnostics diagnostics;
  Description description = parse({"fuzz.attn", text}, nullptr, diagnostics);
  if (diagnostics.hasErrors())
    return 0;
  size_t models = 0;
  for (const ModelDecl &model : description.models) {
    // A few models of one text say as much as hundreds.
    if (++models > 3)
      break;
    Diagnostics fresh = diagnostics;
    CheckOptions options;
    options.config = &config();
    options.model = model.name;
    std::unique_ptr<Graph> graph = check(description, options, fresh);
    if (!graph == !fresh.hasErrors())
      __builtin_trap(); // a failure without an error, or the reverse
  }
  return 0;
}
