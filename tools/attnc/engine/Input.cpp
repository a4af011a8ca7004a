// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads model directories, .attn descriptions and attn IR.

#include "tools/attnc/engine/Input.h"

#include "codegen/cpu/Passes.h"
#include "dialect/AttnOps.h"
#include "frontend/huggingface/ModelDirectory.h"
#include "frontend/language/Language.h"
#include "frontend/weights/ModelWeights.h"
#include "frontend/weights/WeightCheck.h"
#include "frontend/zoo/Zoo.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// What the request points at, before IR is built.
struct Parts {
  lang::Source source;
  lang::BuildOptions options;
  std::string name;
  weights::TensorTable weights{""};
  std::optional<hf::Config> config;
  std::optional<std::string> preprocessor;
  std::string preprocessorPath;
};

Expected<lang::Source> readSource(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return fail(path + ": cannot be read: " + buffer.getError().message());
  return lang::Source{path.str(), (*buffer)->getBuffer().str()};
}

Expected<Parts> openDirectory(const ModelRequest &request) {
  if (!request.config.empty() || !request.weights.empty())
    return make_error<UsageError>(
        "--config and --weights go with a .attn description; '" + request.path +
        "' is a model directory");
  Expected<hf::ModelDirectory> directory = hf::openModelDirectory(request.path);
  if (!directory)
    return directory.takeError();
  Expected<std::string> type =
      hf::chooseDescription(directory->config, zoo::modelTypes());
  if (!type)
    return type.takeError();
  Parts parts;
  parts.source = *zoo::forModelType(*type);
  parts.options.import = zoo::importDescription;
  parts.options.model = directory->config.architecture().str();
  parts.options.config = directory->config.values;
  parts.preprocessor = directory->preprocessor;
  parts.preprocessorPath = directory->preprocessorPath();
  parts.weights = std::move(directory->weights);
  parts.config = std::move(directory->config);
  SmallString<128> absolute(request.path);
  sys::fs::make_absolute(absolute);
  sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
  while (absolute.size() > 1 && sys::path::is_separator(absolute.back()))
    absolute.pop_back();
  parts.name = sys::path::filename(absolute).str();
  return parts;
}

/// A model without weights has no --weights.
Expected<weights::TensorTable> openWeights(StringRef path) {
  return path.empty() ? weights::TensorTable("") : weights::openWeights(path);
}

/// Imports of a description are found beside it, then in the zoo.
Expected<lang::Source> importBeside(const std::string &description,
                                    StringRef file) {
  if (file.contains('/') || file.starts_with("."))
    return fail("'" + file +
                "' is not a file name; imports stand beside the "
                "description");
  SmallString<128> path(sys::path::parent_path(description));
  sys::path::append(path, file);
  if (sys::fs::exists(path))
    return readSource(path);
  return zoo::importDescription(file);
}

Expected<Parts> openDescription(const ModelRequest &request) {
  Parts parts;
  Expected<lang::Source> source = readSource(request.path);
  if (!source)
    return source.takeError();
  parts.source = std::move(*source);
  parts.name = sys::path::stem(request.path).str();
  parts.options.import = [path = request.path](StringRef file) {
    return importBeside(path, file);
  };
  if (!request.config.empty()) {
    Expected<hf::Config> config = hf::readConfig(request.config);
    if (!config)
      return config.takeError();
    parts.options.config = config->values;
    parts.options.model = config->architecture().str();
    parts.config = std::move(*config);
  }
  Expected<weights::TensorTable> table = openWeights(request.weights);
  if (!table)
    return table.takeError();
  parts.weights = std::move(*table);
  return parts;
}

Expected<Parts> openParts(const ModelRequest &request) {
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(request.path, status))
    return fail(request.path + ": " + error.message());
  Expected<Parts> parts = sys::fs::is_directory(status)
                              ? openDirectory(request)
                              : openDescription(request);
  if (!parts)
    return parts.takeError();
  if (!request.entry.empty())
    parts->options.model = request.entry;
  return parts;
}

bool isIr(StringRef path) { return sys::path::extension(path) == ".mlir"; }

/// Prints errors of the IR as the compiler meets them.
Expected<LoadedModel> loadIr(const ModelRequest &request) {
  LoadedModel model;
  model.context = makeContext();
  model.module =
      mlir::parseSourceFile<mlir::ModuleOp>(request.path, model.context.get());
  if (!model.module)
    return fail(request.path + ": is not valid attn IR");
  if (!model.function())
    return fail(request.path + ": expects one function that is not a kernel");
  model.name = sys::path::stem(request.path).str();
  Expected<weights::TensorTable> table = openWeights(request.weights);
  if (!table)
    return table.takeError();
  model.weights = std::move(*table);
  return model;
}

/// Compares the weights that the IR reads with those there are.
Error checkModelWeights(LoadedModel &model, bool needed) {
  std::vector<weights::ExpectedWeight> expected;
  StringSet<> seen;
  model.module->walk([&](WeightOp weight) {
    if (!seen.insert(weight.getName()).second)
      return;
    auto shape = cast<mlir::RankedTensorType>(weight.getType()).getShape();
    expected.push_back({weight.getName().str(), {shape.begin(), shape.end()}});
  });
  std::vector<std::string> ignored;
  if (auto patterns =
          (*model.module)
              ->getAttrOfType<mlir::ArrayAttr>("attn.ignored_weights"))
    for (auto pattern : patterns.getAsRange<mlir::StringAttr>())
      ignored.push_back(pattern.getValue().str());
  if (expected.empty() && model.weights.size() == 0)
    return Error::success();
  if (model.weights.origin().empty() && !needed)
    return Error::success();
  if (model.weights.origin().empty())
    return make_error<UsageError>("the model reads " + Twine(expected.size()) +
                                  " weights; say where they are with "
                                  "--weights");
  return weights::checkWeights(expected, ignored, model.weights);
}

} // namespace

Expected<ModelRequest> attn::tool::readRequest(const CommandLine &line,
                                               bool fixDims) {
  Expected<std::string> path = line.operand(
      "a model: a Hugging Face directory, a .attn description or .mlir IR");
  if (!path)
    return path.takeError();
  ModelRequest request;
  request.path = *path;
  request.config = line.value(OPT_config);
  request.weights = line.value(OPT_weights);
  request.entry = line.value(OPT_entry);
  request.without = line.values(OPT_without);
  if (fixDims) {
    auto dims = line.dims();
    if (!dims)
      return dims.takeError();
    request.fixedDims = std::move(*dims);
  }
  return request;
}

mlir::func::FuncOp LoadedModel::function() {
  mlir::func::FuncOp found;
  for (auto func : module->getOps<mlir::func::FuncOp>()) {
    if (func.isDeclaration() || func->hasAttr(kKernelAttr))
      continue;
    if (found)
      return {};
    found = func;
  }
  return found;
}

Expected<LoadedModel> attn::tool::loadModel(const ModelRequest &request) {
  if (isIr(request.path)) {
    Expected<LoadedModel> model = loadIr(request);
    if (!model)
      return model.takeError();
    if (Error error = checkModelWeights(*model, request.needsWeights))
      return std::move(error);
    return model;
  }
  Expected<Parts> parts = openParts(request);
  if (!parts)
    return parts.takeError();
  for (const auto &[name, size] : request.fixedDims)
    parts->options.dims[name] = size;
  parts->options.absent = request.without;

  LoadedModel model;
  model.context = makeContext();
  std::string diagnostics;
  model.module = lang::buildModel(model.context.get(), parts->source,
                                  parts->options, diagnostics);
  if (!model.module)
    return fail(diagnostics);
  model.name = parts->name;
  model.weights = std::move(parts->weights);
  model.config = std::move(parts->config);
  model.preprocessor = std::move(parts->preprocessor);
  model.preprocessorPath = std::move(parts->preprocessorPath);
  if (Error error = checkModelWeights(model, request.needsWeights))
    return std::move(error);
  return model;
}

Expected<std::vector<std::string>>
attn::tool::optionalInputs(const ModelRequest &request) {
  if (isIr(request.path))
    return std::vector<std::string>();
  Expected<Parts> parts = openParts(request);
  if (!parts)
    return parts.takeError();
  auto models = lang::listModels(parts->source, parts->options.import);
  if (!models)
    return models.takeError();
  for (const lang::ModelSummary &model : *models)
    if (model.name == parts->options.model || models->size() == 1)
      return model.optionalInputs;
  return std::vector<std::string>();
}

std::unique_ptr<mlir::MLIRContext> attn::tool::makeContext() {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  cpu::registerCpuDialects(registry);
  auto context = std::make_unique<mlir::MLIRContext>(
      registry, mlir::MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  return context;
}
