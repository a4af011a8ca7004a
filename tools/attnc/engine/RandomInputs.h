// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inputs for who only wants to see a model run.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_RANDOMINPUTS_H
#define ATTN_TOOLS_ATTNC_ENGINE_RANDOMINPUTS_H

#include "tools/attnc/engine/Engine.h"

namespace attn::tool {

/// Inputs at these sizes: normally distributed numbers, integers spread over
/// their bound. The same seed gives the same values.
llvm::Expected<weights::BoundInputs>
randomInputs(const Engine &engine, llvm::ArrayRef<int64_t> dims, uint64_t seed);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_RANDOMINPUTS_H
