// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From what a user calls a model to IR bound to its weights.

#include "frontend/model/Model.h"

#include "dialect/AttnOps.h"
#include "dialect/ProgramAttributes.h"
#include "frontend/huggingface/ModelDirectory.h"
#include "frontend/huggingface/SentenceModules.h"
#include "frontend/language/Language.h"
#include "frontend/weights/Message.h"
#include "frontend/weights/ModelWeights.h"
#include "frontend/weights/WeightNames.h"
#include "frontend/zoo/Zoo.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

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

static std::vector<std::string> ignoredWeights(mlir::ModuleOp module) {
  std::vector<std::string> ignored;
  if (auto patterns =
          module->getAttrOfType<mlir::ArrayAttr>(kIgnoredWeightsAttr))
    for (auto pattern : patterns.getAsRange<mlir::StringAttr>())
      ignored.push_back(pattern.str());
  return ignored;
}

static std::vector<weights::NameAlias> weightAliases(mlir::ModuleOp module) {
  std::vector<weights::NameAlias> aliases;
  if (auto pairs = module->getAttrOfType<mlir::ArrayAttr>(kWeightAliasesAttr))
    for (auto pair : pairs.getAsRange<mlir::ArrayAttr>())
      aliases.push_back({cast<mlir::StringAttr>(pair[0]).str(),
                         cast<mlir::StringAttr>(pair[1]).str()});
  return aliases;
}

void renameStored(mlir::ModuleOp module, weights::TensorTable &table) {
  weights::applyAliases(expectedWeights(module), weightAliases(module), table);
}

Error checkModelWeights(mlir::ModuleOp module, weights::TensorTable &table,
                        weights::Coverage coverage) {
  renameStored(module, table);
  return weights::checkWeights(expectedWeights(module), ignoredWeights(module),
                               table, coverage);
}

void noteStoredTypes(mlir::ModuleOp module, const weights::TensorTable &table) {
  auto bf16 = mlir::TypeAttr::get(mlir::BFloat16Type::get(module.getContext()));
  module.walk([&](WeightOp weight) {
    const weights::Tensor *tensor = table.find(weight.getName());
    bool isStored = tensor && tensor->type == weights::DataType::BF16;
    weight.setStoredAttr(isStored ? bf16 : mlir::TypeAttr());
  });
}

//===--- Files ------------------------------------------------------------===//

namespace {
using ImportFunction = std::function<Expected<lang::Source>(StringRef)>;

/// The files of a description, read.
struct Files {
  lang::Source description;
  ImportFunction import;
  Model model; ///< Without its module.
  /// The entry that the directory asks for, where it is not config.json's.
  std::string entry;
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

// Imports of a description are found beside it, then in the zoo.
static Expected<lang::Source> importBeside(StringRef description,
                                           StringRef file) {
  if (file.contains('/') || file.starts_with("."))
    return createStringError(
        weights::quoted(file) +
        " is not a file name; imports stand beside the description");
  SmallString<128> path(sys::path::parent_path(description));
  sys::path::append(path, file);
  return sys::fs::exists(path) ? readDescription(path)
                               : zoo::importDescription(file);
}

static Error readGivenWeights(const ModelOptions &options, Model &model) {
  if (options.weights.empty())
    return Error::success();
  auto table = weights::openWeights(options.weights);
  if (!table)
    return table.takeError();
  model.weights = std::move(*table);
  return Error::success();
}

// "vit" for "models/vit/".
static std::string directoryName(StringRef path) {
  SmallString<128> absolute(path);
  // Where there is no working directory the path as given has to do.
  (void)sys::fs::make_absolute(absolute);
  sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
  while (absolute.size() > 1 && sys::path::is_separator(absolute.back()))
    absolute.pop_back();
  return sys::path::filename(absolute).str();
}

static Expected<Files> readDirectory(const ModelOptions &options) {
  auto directory = hf::openModelDirectory(options.path, options.config);
  if (!directory)
    return directory.takeError();
  Files files;
  files.import = zoo::importDescription;
  Model &model = files.model;
  model.name = directoryName(options.path);
  model.preprocessorPath = directory->preprocessorPath();
  model.preprocessor = std::move(directory->preprocessor);
  model.config = std::move(directory->config);
  if ((options.entry.empty() || options.entry == hf::kSentenceEntry) &&
      hf::hasSentenceModules(options.path)) {
    files.entry = hf::kSentenceEntry;
    if (Error error = hf::readSentenceModules(options.path, *model.config))
      return std::move(error);
  }
  auto type = hf::chooseDescription(*model.config, zoo::modelTypes());
  if (!type)
    return type.takeError();
  files.description = *zoo::forModelType(*type);
  if (Error error = readGivenWeights(options, model))
    return std::move(error);
  bool readsOwn = !model.weights && (options.needsWeights ||
                                     weights::hasModelWeights(options.path));
  if (!readsOwn)
    return files;
  auto table = weights::openModelWeights(options.path);
  if (!table)
    return table.takeError();
  if (Error error = hf::addModuleWeights(options.path, *model.config, *table))
    return std::move(error);
  model.weights = std::move(*table);
  return files;
}

static Expected<Files> readDescriptionFiles(const ModelOptions &options) {
  auto description = readDescription(options.path);
  if (!description)
    return description.takeError();
  Files files;
  files.description = std::move(*description);
  files.import = [path = options.path](StringRef file) {
    return importBeside(path, file);
  };
  files.model.name = sys::path::stem(options.path).str();
  if (!options.config.empty()) {
    auto config = hf::readConfig(options.config);
    if (!config)
      return config.takeError();
    files.model.config = std::move(*config);
  }
  if (Error error = readGivenWeights(options, files.model))
    return std::move(error);
  return files;
}

//===--- Building ---------------------------------------------------------===//

// The class in config.json names the entry, unless the description has one
// entry only: a file of one's own need not know the class. Null where there are
// several and nothing chooses; the checker then lists them.
static Expected<const lang::ModelSummary *>
chooseEntry(const ModelOptions &options, const Files &files,
            ArrayRef<lang::ModelSummary> entries) {
  StringRef architecture =
      files.model.config ? files.model.config->architecture() : StringRef();
  bool kernel = !options.kernel.empty();
  StringRef wanted = kernel                   ? StringRef(options.kernel)
                     : !options.entry.empty() ? StringRef(options.entry)
                     : !files.entry.empty()   ? StringRef(files.entry)
                                              : architecture;
  std::string list;
  for (const lang::ModelSummary &entry : entries) {
    if (entry.name == wanted && (entry.kernel || !kernel))
      return &entry;
    list += (list.empty() ? "" : ", ") + entry.name;
  }
  if (!options.entry.empty() || kernel)
    return nullptr;
  if (!files.entry.empty())
    return weights::fileError(
        options.path, "has modules.json, but " + files.description.name +
                          " describes no " + files.entry +
                          "; --entry takes another model: " + list);
  if (entries.size() == 1)
    return &entries.front();
  if (architecture.empty())
    return nullptr;
  return files.model.config->errorAt(
      "architectures", "expects a class that " + files.description.name +
                           " describes (" + list + "), but got " +
                           weights::quoted(architecture));
}

static std::vector<std::string> absentInputs(const ModelOptions &options,
                                             const lang::ModelSummary *entry) {
  std::vector<std::string> absent = options.absent;
  if (!options.present || !entry)
    return absent;
  for (const std::string &name : entry->optionalInputs)
    if (!is_contained(*options.present, name) && !is_contained(absent, name))
      absent.push_back(name);
  return absent;
}

// Of errors without a place, whoever prints this says that they are errors.
static Error diagnosticsError(StringRef text) {
  text.consume_front("error: ");
  return createStringError(text.rtrim());
}

static Expected<Model> buildDescription(mlir::MLIRContext *context,
                                        const ModelOptions &options,
                                        Files files) {
  auto entries = lang::listModels(files.description, files.import);
  if (!entries)
    return entries.takeError();
  auto entry = chooseEntry(options, files, *entries);
  if (!entry)
    return entry.takeError();
  Model model = std::move(files.model);
  lang::BuildOptions build;
  if (model.config) {
    build.config = model.config->values;
    build.configPlace = model.config->places();
  }
  build.model = *entry ? (*entry)->name : options.entry;
  build.kernel = options.kernel;
  bool isAsked = !options.entry.empty() || !files.entry.empty();
  if (isAsked && *entry && model.config &&
      (*entry)->name != model.config->architecture())
    model.coverage = weights::Coverage::Part;
  // A file may hold many kernels: each bears its own name.
  if (*entry && (*entry)->kernel)
    model.name = (*entry)->name;
  build.dims = options.dims;
  build.absent = absentInputs(options, *entry);
  build.import = files.import;
  std::string diagnostics;
  model.module =
      lang::buildModel(context, files.description, build, diagnostics);
  if (!model.module)
    return diagnosticsError(diagnostics);
  return model;
}

static Expected<Model> openIr(mlir::MLIRContext *context,
                              const ModelOptions &options) {
  if (!options.config.empty() || !options.entry.empty() ||
      !options.kernel.empty() || !options.dims.empty() ||
      !options.absent.empty())
    return weights::fileError(
        options.path, "is IR, which has its own dimensions and inputs: expects "
                      "no config, entry, dimension or input to leave out");
  // MLIR's reader does not tell a directory or a pipe from a file.
  auto file = weights::MappedFile::open(options.path);
  if (!file)
    return file.takeError();
  Model model;
  model.module = mlir::parseSourceFile<mlir::ModuleOp>(options.path, context);
  if (!model.module)
    return weights::fileError(options.path, "is not valid attn IR");
  if (!model.function())
    return weights::fileError(options.path,
                              "expects one function that is not a kernel");
  model.name = sys::path::stem(options.path).str();
  if (Error error = readGivenWeights(options, model))
    return std::move(error);
  return model;
}

static Expected<Model> readModel(mlir::MLIRContext *context,
                                 const ModelOptions &options) {
  StringRef extension = sys::path::extension(options.path);
  bool isDirectory = sys::fs::is_directory(options.path);
  if (!isDirectory && extension == ".mlir")
    return openIr(context, options);
  if (!isDirectory && extension != ".attn") {
    if (!sys::fs::exists(options.path))
      return weights::fileError(options.path,
                                "cannot open: No such file or directory");
    return weights::fileError(options.path, "expects a model directory, a "
                                            ".attn description or .mlir IR");
  }
  auto files =
      isDirectory ? readDirectory(options) : readDescriptionFiles(options);
  if (!files)
    return files.takeError();
  return buildDescription(context, options, std::move(*files));
}

Expected<Model> openModel(mlir::MLIRContext *context,
                          const ModelOptions &options) {
  auto model = readModel(context, options);
  if (!model)
    return model.takeError();
  size_t reads = expectedWeights(*model->module).size();
  if (!model->weights && options.needsWeights && reads)
    return weights::fileError(options.path, "reads " + Twine(reads) +
                                                " weights, but none are given");
  if (model->weights) {
    if (Error error =
            checkModelWeights(*model->module, *model->weights, model->coverage))
      return std::move(error);
    noteStoredTypes(*model->module, *model->weights);
  }
  return model;
}

SmallVector<mlir::func::FuncOp> Model::functions() {
  SmallVector<mlir::func::FuncOp> found;
  for (auto function : module->getOps<mlir::func::FuncOp>())
    if (!function.isDeclaration() && !function->hasAttr(kKernelAttr))
      found.push_back(function);
  auto isStep = [](mlir::func::FuncOp function) {
    auto program = function->getAttrOfType<mlir::StringAttr>(kProgramAttr);
    return program && program.getValue() == "step";
  };
  llvm::stable_sort(found, [&](mlir::func::FuncOp a, mlir::func::FuncOp b) {
    return isStep(a) > isStep(b);
  });
  return found;
}

mlir::func::FuncOp Model::function() {
  SmallVector<mlir::func::FuncOp> all = functions();
  bool isOne = all.size() == 1 ||
               (all.size() == 2 && all.front()->hasAttr(kProgramAttr));
  return isOne ? all.front() : mlir::func::FuncOp();
}

} // namespace attn::frontend
