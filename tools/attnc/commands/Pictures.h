// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pictures in, labels out.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_PICTURES_H
#define ATTN_TOOLS_ATTNC_COMMANDS_PICTURES_H

#include "tools/attnc/engine/Engine.h"
#include "tools/attnc/engine/Input.h"

namespace attn::tool {

/// Prepares each picture of --image as preprocessor_config.json says, runs the
/// model on it and prints the best --top labels and their scores.
llvm::Error classifyPictures(const CommandLine &line, const LoadedModel &model,
                             Engine &engine);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_PICTURES_H
