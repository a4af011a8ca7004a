// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a command line says of the model and of the code to make from it.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_MODELARGUMENTS_H
#define ATTN_TOOLS_ATTNC_COMMANDS_MODELARGUMENTS_H

#include "codegen/target/TargetSpec.h"
#include "frontend/model/Model.h"
#include "tools/attnc/CommandLine.h"
#include "tools/attnc/engine/Compiler.h"

#include <memory>

namespace attn::tool {

/// The model that the operand, --config, --weights, --entry, --dim and
/// --without state.
llvm::Expected<frontend::ModelOptions>
readModelOptions(const CommandLine &line);

/// A model about to be compiled and run.
struct OpenedModel {
  std::unique_ptr<mlir::MLIRContext> context; ///< outlives the module
  frontend::Model model;
  std::vector<const TargetSpec *> targets;
  bool allowUnfused = false;

  CompilerOptions compilerOptions() const {
    CompilerOptions options;
    options.targets = targets;
    options.allowUnfused = allowUnfused;
    return options;
  }
};

/// Opens the model that the command line states. Optional inputs that `given`
/// holds are present; null where no file gives inputs.
llvm::Expected<OpenedModel> openForRun(const CommandLine &line,
                                       const weights::TensorTable *given);

/// Opens the model as generation sees it: one sequence, every token of which is
/// there. A model that is IR says so itself.
llvm::Expected<OpenedModel> openForGeneration(const CommandLine &line);

/// The same for a request that is already read.
void requestGeneration(frontend::ModelOptions &request);

/// For a compiled library, which --config, --weights, --entry, --dim, --without
/// and --target come too late for: a usage error that names the first of them.
llvm::Error refuseModelOptions(const CommandLine &line);

/// The targets that --target names, best first; native by default.
llvm::Expected<std::vector<const TargetSpec *>>
readTargets(const CommandLine &line);

/// The value of --threads; by default one thread for each core.
llvm::Expected<size_t> readThreads(const CommandLine &line);

/// A context with every dialect of the compiler.
std::unique_ptr<mlir::MLIRContext> makeContext();

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_MODELARGUMENTS_H
