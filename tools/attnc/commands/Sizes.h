// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sizes at which verify, bench and inspect see a model, and its inputs.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_SIZES_H
#define ATTN_TOOLS_ATTNC_COMMANDS_SIZES_H

#include "codegen/package/Interface.h"
#include "tools/attnc/CommandLine.h"
#include "tools/attnc/engine/Engine.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <optional>

namespace attn::tool {

/// The size of a dimension that the user does not give.
using UsualSize = llvm::function_ref<int64_t(llvm::StringRef)>;

/// The size of every dynamic dimension: what --size and --batch say, else
/// `usual` for it, within its bounds. A name that the model does not have is an
/// error that lists those it has, as is a size out of bounds.
llvm::Expected<std::vector<int64_t>>
chooseSizes(const CommandLine &line, llvm::ArrayRef<attn_dim_info> infos,
            UsualSize usual);

/// The same for a model that is no program yet.
llvm::Expected<std::vector<int64_t>>
chooseSizes(const CommandLine &line, const package::ModelInterface &model,
            UsualSize usual);

/// The tensors of --inputs, none without it. They have sizes of their own:
/// --size and --batch beside it are a usage error.
llvm::Expected<std::optional<weights::TensorTable>>
readGivenInputs(const CommandLine &line);

/// Given inputs bound to the program, or random ones of the sizes asked for.
llvm::Expected<weights::BoundInputs>
makeInputs(const CommandLine &line, const Engine &engine,
           const std::optional<weights::TensorTable> &given, uint64_t seed,
           UsualSize usual);

/// Given inputs bound to a model that is no program yet, or sizes without
/// tensors.
llvm::Expected<weights::BoundInputs>
bindForModel(const CommandLine &line, const package::ModelInterface &model,
             const std::optional<weights::TensorTable> &given, UsualSize usual);

/// The inputs of a program.
inline llvm::ArrayRef<attn_tensor_info> inputsOf(const attn_program &program) {
  return {program.inputs, program.input_count};
}

/// The dynamic dimensions of a program.
inline llvm::ArrayRef<attn_dim_info> dimsOf(const attn_program &program) {
  return {program.dims, program.dim_count};
}

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_SIZES_H
