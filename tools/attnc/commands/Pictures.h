// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pictures in, labels out.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_PICTURES_H
#define ATTN_TOOLS_ATTNC_COMMANDS_PICTURES_H

#include "frontend/model/Model.h"
#include "tools/attnc/CommandLine.h"
#include "tools/attnc/engine/Engine.h"

namespace attn::tool {

/// Prepares each picture of --image as preprocessor_config.json says, runs the
/// model on it and prints the best --top labels and their scores.
llvm::Error classifyPictures(const CommandLine &line,
                             const frontend::Model &model, Engine &engine);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_PICTURES_H
