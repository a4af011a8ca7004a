// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From what a user calls a model to IR bound to its weights.

#include "frontend/model/Model.h"

#include "dialect/AttnOps.h"
#include "frontend/huggingface/ModelDirectory.h"
#include "frontend/language/Language.h"
#include "frontend/weights/Message.h"
#include "frontend/weights/ModelWeights.h"
#include "frontend/zoo/Zoo.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;

namespace attn::frontend {

//===--- Weights ----------------------------------------------------------===//

std::vector<weights::ExpectedWeight> expectedWeights(mlir::ModuleOp module) {
  std::vector<weights::ExpectedWeight> expected;
  DenseSet<std::pair<mlir::Attribute, mlir::Type>> seen;
  module.walk([&](WeightOp weight) {
    if (!seen.insert({weight.getNameAttr(), weight.getType()}).second)
      return;
    expected.push_back({weight.getName().str(),
                        SmallVector<int64_t, 4>(weight.getType().getShape())});
  });
  return expected;
}

Error checkModelWeights(mlir::ModuleOp module,
                        const weights::TensorTable &table) {
  std::vector<std::string> ignored;
  if (auto patterns =
          module->getAttrOfType<mlir::ArrayAttr>("attn.ignored_weights"))
    for (auto pattern : patterns.getAsRange<mlir::StringAttr>())
      ignored.push_back(pattern.str());
  return weights::checkWeights(expectedWeights(module), ignored, table);
}

//===--- Files ------------------------------------------------------------===//

namespace {
/// The files of a model, read.
struct Files {
  lang::Source description;
  Model model; ///< Without its module.
};
} // namespace

static Expected<lang::Source> readDescription(StringRef path) {
  constexpr size_t largest = 1 << 20;
  auto file = weights::MappedFile::open(path);
  if (!file)
    return file.takeError();
  if ((*file)->bytes().size() > largest)
    return weights::fileError(path, "expects a description of at most " +
                                        Twine(largest) + " bytes, but got " +
                                        Twine((*file)->bytes().size()));
  return lang::Source{path.str(), (*file)->text().str()};
}

// Replaces what a directory brought by what the options name.
static Error readGivenFiles(const ModelOptions &options, Model &model) {
  if (!options.config.empty()) {
    auto config = hf::readConfig(options.config);
    if (!config)
      return config.takeError();
    model.config = std::move(*config);
  }
  if (!options.weights.empty()) {
    auto table = weights::openWeights(options.weights);
    if (!table)
      return table.takeError();
    model.weights = std::move(*table);
  }
  return Error::success();
}

static Expected<Files> readDirectory(const ModelOptions &options) {
  auto directory = hf::openModelDirectory(options.path);
  if (!directory)
    return directory.takeError();
  Files files;
  files.model.preprocessorPath = directory->preprocessorPath();
  files.model.preprocessor = std::move(directory->preprocessor);
  files.model.config = std::move(directory->config);
  files.model.weights = std::move(directory->weights);
  if (Error error = readGivenFiles(options, files.model))
    return std::move(error);
  auto type = hf::chooseDescription(*files.model.config, zoo::modelTypes());
  if (!type)
    return type.takeError();
  files.description = *zoo::forModelType(*type);
  return files;
}

static Expected<Files> readFiles(const ModelOptions &options) {
  if (sys::fs::is_directory(options.path))
    return readDirectory(options);
  if (!StringRef(options.path).ends_with(".attn"))
    return weights::fileError(options.path,
                              "expects a model directory or a .attn file");
  Files files;
  auto description = readDescription(options.path);
  if (!description)
    return description.takeError();
  files.description = std::move(*description);
  if (Error error = readGivenFiles(options, files.model))
    return std::move(error);
  return files;
}

//===--- Building ---------------------------------------------------------===//

// The class in config.json names the entry, unless the description has one
// entry only: a file of one's own need not know the class.
static Expected<std::string> chooseEntry(const ModelOptions &options,
                                         const Files &files) {
  if (!options.entry.empty() || !files.model.config)
    return options.entry;
  auto entries = lang::listModels(files.description, zoo::importDescription);
  if (!entries)
    return entries.takeError();
  StringRef architecture = files.model.config->architecture();
  std::string list;
  for (const lang::ModelSummary &entry : *entries) {
    if (entry.name == architecture)
      return entry.name;
    list += (list.empty() ? "" : ", ") + entry.name;
  }
  if (entries->size() == 1 || architecture.empty())
    return std::string();
  return files.model.config->errorAt(
      "architectures", "expects a class that " + files.description.name +
                           " describes (" + list + "), but got " +
                           weights::quoted(architecture));
}

Expected<Model> openModel(mlir::MLIRContext *context,
                          const ModelOptions &options) {
  auto files = readFiles(options);
  if (!files)
    return files.takeError();
  auto entry = chooseEntry(options, *files);
  if (!entry)
    return entry.takeError();

  Model model = std::move(files->model);
  lang::BuildOptions build;
  if (model.config)
    build.config = model.config->values;
  build.model = *entry;
  build.dims = options.dims;
  build.absent = options.absent;
  build.import = zoo::importDescription;
  std::string diagnostics;
  model.module =
      lang::buildModel(context, files->description, build, diagnostics);
  if (!model.module)
    return createStringError(StringRef(diagnostics).rtrim());
  if (model.weights)
    if (Error error = checkModelWeights(*model.module, *model.weights))
      return std::move(error);
  return model;
}

} // namespace attn::frontend
