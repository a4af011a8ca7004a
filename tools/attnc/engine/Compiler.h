// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a loaded model to objects and files: the whole pipeline in one place.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_COMPILER_H
#define ATTN_TOOLS_ATTNC_ENGINE_COMPILER_H

#include "codegen/package/Object.h"
#include "codegen/package/Program.h"
#include "codegen/target/TargetSpec.h"
#include "frontend/model/Model.h"

namespace attn::tool {

/// What `compile --dump-after` can show, in the order of the pipeline.
enum class Stage { Frontend, Fuse, Outline, Plan, Tiles, Llvm };

struct CompilerOptions {
  /// Name of the library; Model::name where empty.
  std::string name;
  /// Best first, all of one architecture.
  std::vector<const TargetSpec *> targets;
  /// Tapped values become outputs.
  bool exposeTaps = false;
  /// The model of one whole sequence becomes steps over a cache.
  bool generates = false;
  /// Scores that are too much for one kernel are computed in parts, in memory
  /// of queries times keys, and no error.
  bool allowUnfused = false;
};

/// One compilation. The steps are called in order.
class Compiler {
public:
  Compiler(frontend::Model &model, const CompilerOptions &options);

  /// Target-independent passes up to `last`, at most Stage::Plan.
  llvm::Error lowerTo(Stage last);
  /// The code of one target as a module of its own, at tile level or in the
  /// LLVM dialect. After lowerTo(Stage::Plan).
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
  generate(const TargetSpec &target, Stage last);
  /// Interface and identity of the program. After lowerTo(Stage::Plan).
  llvm::Expected<package::ProgramSpec> describe();
  /// Objects of all variants, of the program's tables, and the common object.
  llvm::Expected<std::vector<package::ObjectFile>>
  emitObjects(const package::ProgramSpec &program);

  /// What the code of a variant defines plan and body of.
  std::vector<std::string> symbols();

  mlir::ModuleOp module() { return *model.module; }
  const std::string &name() const { return libraryName; }

private:
  llvm::Error deriveSteps();
  void nameFunctions();
  llvm::Expected<package::FunctionSpec>
  describeFunction(mlir::func::FuncOp function);
  llvm::Expected<package::ObjectFile> emitVariant(const TargetSpec &target);

  frontend::Model &model;
  CompilerOptions options;
  std::string libraryName;
};

/// Compiles to a shared library and, if the model has weights, a weights file
/// NAME.so and NAME.weights in `directory`, for use by this process.
llvm::Error compileForUse(frontend::Model &model,
                          const CompilerOptions &options,
                          llvm::StringRef directory);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_COMPILER_H
