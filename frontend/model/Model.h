// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From what a user calls a model to IR bound to its weights.

#ifndef ATTN_FRONTEND_MODEL_MODEL_H
#define ATTN_FRONTEND_MODEL_MODEL_H

#include "frontend/huggingface/Config.h"
#include "frontend/weights/Tensor.h"
#include "frontend/weights/WeightCheck.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include <optional>
#include <vector>

namespace attn::frontend {

/// A model as a user names it.
struct ModelOptions {
  /// A Hugging Face model directory, a .attn description, or .mlir IR, which
  /// says all that the other options but `weights` say.
  std::string path;
  /// config.json and weights for a description; "" for none. A directory
  /// brings its own, which these replace.
  std::string config;
  std::string weights;
  /// Which model of the description. "": the first of config.json's
  /// `architectures`, else the only one.
  std::string entry;
  /// Which kernel of a description, in place of a model.
  std::string kernel;
  /// Dynamic dimensions that become static, and parameters of a kernel.
  llvm::StringMap<int64_t> dims;
  /// Optional inputs that take their default instead.
  std::vector<std::string> absent;
  /// Where set, optional inputs that are not in it take their default too.
  std::optional<std::vector<std::string>> present;
  /// Whether a model that reads weights may come without them.
  bool needsWeights = true;
};

struct Model {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// The directory's name, or the file's without its extension; a kernel has
  /// its own.
  std::string name;
  /// Checked against the module; none where there are none.
  std::optional<weights::TensorTable> weights;
  std::optional<hf::Config> config;
  /// Text and path of preprocessor_config.json.
  std::optional<std::string> preprocessor;
  std::string preprocessorPath;
  /// Part where the user asks for another class than the checkpoint's own.
  weights::Coverage coverage = weights::Coverage::Whole;

  /// The functions that are neither kernels nor declarations: the model
  /// function or, of a model with a cache, "step" and then "encode".
  llvm::SmallVector<mlir::func::FuncOp> functions();
  /// The first of them; null where there are none, or others.
  mlir::func::FuncOp function();
};

/// Reads the files, builds the IR and checks every weight: all that are
/// missing, unused or misshapen are in one error. Faults of .mlir IR are
/// emitted as diagnostics of the context. `context` has every dialect and
/// outlives the model.
llvm::Expected<Model> openModel(mlir::MLIRContext *context,
                                const ModelOptions &options);

/// The tensors that the module's attn.weights name, in order, once for each
/// shape.
std::vector<weights::ExpectedWeight> expectedWeights(mlir::ModuleOp module);

/// Gives tensors that are there under an alias of the module's the model's
/// names.
void renameStored(mlir::ModuleOp module, weights::TensorTable &table);

/// Compares them with a table, once its tensors are renamed; the module's
/// attn.ignored_weights may be unused.
llvm::Error checkModelWeights(mlir::ModuleOp module,
                              weights::TensorTable &table,
                              weights::Coverage coverage);

/// Says of each weight of the module whether the table has it as bf16.
void noteStoredTypes(mlir::ModuleOp module, const weights::TensorTable &table);

} // namespace attn::frontend

#endif
