// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From what a user calls a model to IR bound to its weights.

#ifndef ATTN_FRONTEND_MODEL_MODEL_H
#define ATTN_FRONTEND_MODEL_MODEL_H

#include "frontend/huggingface/Config.h"
#include "frontend/weights/Tensor.h"
#include "frontend/weights/WeightCheck.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include <optional>
#include <vector>

namespace attn::frontend {

/// A model as a user names it.
struct ModelOptions {
  /// A Hugging Face model directory, or a .attn description.
  std::string path;
  /// config.json and weights for a description; "" for none. A directory
  /// brings its own, which these replace.
  std::string config;
  std::string weights;
  /// Which model of the description. "": the first of config.json's
  /// `architectures`, else the only one.
  std::string entry;
  /// Dynamic dimensions that become static.
  llvm::StringMap<int64_t> dims;
  /// Optional inputs that take their default instead.
  std::vector<std::string> absent;
};

struct Model {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Checked against the module; none for a description without weights.
  std::optional<weights::TensorTable> weights;
  std::optional<hf::Config> config;
  /// Text and path of preprocessor_config.json.
  std::optional<std::string> preprocessor;
  std::string preprocessorPath;
};

/// Reads the files, builds the IR and checks every weight.
llvm::Expected<Model> openModel(mlir::MLIRContext *context,
                                const ModelOptions &options);

/// The tensors that the module's attn.weights name, in order, once for each
/// shape.
std::vector<weights::ExpectedWeight> expectedWeights(mlir::ModuleOp module);

/// Compares them with a table; the module's attn.ignored_weights may be unused.
llvm::Error checkModelWeights(mlir::ModuleOp module,
                              const weights::TensorTable &table);

} // namespace attn::frontend

#endif
