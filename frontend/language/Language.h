// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The .attn language: from the text of a description to attn IR.

#ifndef FRONTEND_LANGUAGE_LANGUAGE_H
#define FRONTEND_LANGUAGE_LANGUAGE_H

#include "frontend/language/Diagnostics.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <functional>

namespace attn::lang {

struct BuildOptions {
  /// Values of the config parameters; keys that no parameter names are unused.
  llvm::json::Object config;
  /// Where a key of the config's top object stands, "config.json:3:5", for
  /// errors about its value; empty: "config.json" alone.
  std::function<std::string(llvm::StringRef)> configPlace;
  /// Entry by name, such as "ViTForImageClassification"; empty: the only one.
  std::string model;
  /// A kernel by name, in place of a model.
  std::string kernel;
  /// Dynamic dimensions that become static.
  llvm::StringMap<int64_t> dims;
  /// Optional inputs that leave the signature and take their default.
  std::vector<std::string> absent;
  /// Gives the text of an imported description; empty: nothing can be imported.
  std::function<llvm::Expected<Source>(llvm::StringRef)> import;
};

/// Builds the model as a module with one function. On failure returns null;
/// `diagnostics` then holds the errors, each with its source line and a caret.
mlir::OwningOpRef<mlir::ModuleOp> buildModel(mlir::MLIRContext *context,
                                             const Source &source,
                                             const BuildOptions &options,
                                             std::string &diagnostics);

/// A model or kernel of a description, with the names of its inputs.
struct ModelSummary {
  std::string name;
  bool kernel = false; ///< takes neither config.json nor weights
  std::vector<std::string> inputs, optionalInputs, outputs;
};

/// All entries, in order. Parses only. Fails with the rendered errors.
llvm::Expected<std::vector<ModelSummary>> listModels(
    const Source &source,
    const std::function<llvm::Expected<Source>(llvm::StringRef)> &import);

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_LANGUAGE_H
