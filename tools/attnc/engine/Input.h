// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model a user names, as attn IR with its weights.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_INPUT_H
#define ATTN_TOOLS_ATTNC_ENGINE_INPUT_H

#include "frontend/huggingface/Config.h"
#include "frontend/weights/Tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tools/attnc/CommandLine.h"

#include <memory>
#include <optional>

namespace attn::tool {

/// Where a model comes from and which form of it is wanted.
struct ModelRequest {
  std::string path;    ///< a directory, a .attn description or .mlir IR
  std::string config;  ///< config.json for a description; may be empty
  std::string weights; ///< a file or directory for a description or IR
  std::string entry;   ///< which model of a description; may be empty
  std::vector<std::pair<std::string, int64_t>> fixedDims;
  std::vector<std::string> without; ///< optional inputs to leave out
  bool needsWeights = true; ///< whether a description must come with weights
};

/// The request that --config, --weights, --entry and --without state; `fixDims`
/// says whether --dim does too.
llvm::Expected<ModelRequest> readRequest(const CommandLine &line, bool fixDims);

struct LoadedModel {
  /// Before the module: it is destroyed after it.
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// What the library is called unless the user says otherwise.
  std::string name;
  weights::TensorTable weights{""};
  std::optional<hf::Config> config;
  /// The text of preprocessor_config.json and its path.
  std::optional<std::string> preprocessor;
  std::string preprocessorPath;

  mlir::func::FuncOp function();
};

/// Builds the model's IR and checks its weights: all that are missing, unused
/// or of another shape are reported together.
llvm::Expected<LoadedModel> loadModel(const ModelRequest &request);

/// Names of the inputs that the requested model can do without.
llvm::Expected<std::vector<std::string>>
optionalInputs(const ModelRequest &request);

/// A context with every dialect of the compiler.
std::unique_ptr<mlir::MLIRContext> makeContext();

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_INPUT_H
