// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inputs for who only wants to see a model run.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_RANDOMINPUTS_H
#define ATTN_TOOLS_ATTNC_ENGINE_RANDOMINPUTS_H

#include "tools/attnc/engine/Engine.h"

#include <random>

namespace attn::tool {

/// A tensor at these sizes of its program's dimensions: normally distributed
/// numbers, integers spread over their bound.
llvm::Expected<weights::Tensor> randomTensor(const attn_tensor_info &info,
                                             llvm::ArrayRef<int64_t> dims,
                                             std::mt19937_64 &random);

/// All inputs. The same seed gives the same values.
llvm::Expected<weights::BoundInputs>
randomInputs(const Engine &engine, llvm::ArrayRef<int64_t> dims, uint64_t seed);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_RANDOMINPUTS_H
