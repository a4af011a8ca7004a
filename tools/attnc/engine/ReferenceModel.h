// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model evaluated in f64, as it was built, from its own weights.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_REFERENCEMODEL_H
#define ATTN_TOOLS_ATTNC_ENGINE_REFERENCEMODEL_H

#include "codegen/reference/Evaluator.h"
#include "frontend/model/Model.h"
#include "tools/attnc/engine/Compiler.h"
#include "tools/attnc/engine/Engine.h"

#include <map>

namespace attn::tool {

/// The model compiled and opened, while its module stays as it was built, for
/// the reference: compiling changes one.
llvm::Expected<std::unique_ptr<Engine>>
openBesideReference(frontend::Model &model, const CompilerOptions &options,
                    size_t threads);

/// The reference's outputs and taps, by name, for inputs in the order of the
/// model's arguments. The module is as it was built.
llvm::Expected<std::map<std::string, reference::Array>>
evaluateReference(frontend::Model &model,
                  llvm::ArrayRef<weights::Tensor> inputs);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_REFERENCEMODEL_H
