// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiled models that run, verify and bench keep from one call to the next.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_CACHE_H
#define ATTN_TOOLS_ATTNC_ENGINE_CACHE_H

#include "tools/attnc/engine/Compiler.h"

namespace attn::tool {

/// The path of a shared library compiled from the model, taken from the cache
/// or compiled into it. Its weights file stands beside it.
///
/// The key is the model's IR before any pass, the identity of its weights files
/// (device, inode, size, time), the targets, the options and this compiler. The
/// cache is $XDG_CACHE_HOME/attnc or ~/.cache/attnc, readable by its owner
/// alone; beyond its capacity the models used longest ago are deleted.
llvm::Expected<std::string> compileCached(frontend::Model &model,
                                          const CompilerOptions &options);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_CACHE_H
