// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads the options that several commands share.

#include "tools/attnc/commands/ModelArguments.h"

#include "codegen/cpu/Passes.h"
#include "dialect/AttnOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <thread>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

Expected<frontend::ModelOptions>
attn::tool::readModelOptions(const CommandLine &line) {
  Expected<std::string> path = line.operand(
      "a model: a Hugging Face directory, a .attn description or .mlir IR");
  if (!path)
    return path.takeError();
  auto dims = line.namedSizes(OPT_dim);
  if (!dims)
    return dims.takeError();
  frontend::ModelOptions options;
  options.path = *path;
  options.config = line.value(OPT_config);
  options.weights = line.value(OPT_weights);
  options.entry = line.value(OPT_entry);
  options.kernel = line.value(OPT_kernel);
  if (!options.entry.empty() && !options.kernel.empty())
    return make_error<UsageError>("options '--entry' and '--kernel' both name "
                                  "what is built; expects one");
  options.absent = line.values(OPT_without);
  for (const auto &[name, size] : *dims)
    options.dims[name] = size;
  return options;
}

Error attn::tool::refuseModelOptions(const CommandLine &line) {
  static constexpr std::pair<OptionId, StringLiteral> options[] = {
      {OPT_config, "--config"}, {OPT_weights, "--weights"},
      {OPT_entry, "--entry"},   {OPT_kernel, "--kernel"},
      {OPT_dim, "--dim"},       {OPT_without, "--without"},
      {OPT_target, "--target"}, {OPT_allow_unfused, "--allow-unfused"}};
  for (const auto &[id, name] : options)
    if (line.has(id))
      return make_error<UsageError>(
          "option '" + name + "' goes with a model, but '" +
          line.operands().front() + "' is compiled already");
  return Error::success();
}

Expected<std::vector<const TargetSpec *>>
attn::tool::readTargets(const CommandLine &line) {
  std::string text = line.value(OPT_target, "native");
  SmallVector<StringRef> names;
  StringRef(text).split(names, ',');
  std::vector<const TargetSpec *> targets;
  for (StringRef name : names) {
    Expected<const TargetSpec *> target = findTarget(name.trim());
    if (!target)
      return make_error<UsageError>(toString(target.takeError()));
    if (is_contained(targets, *target))
      return make_error<UsageError>("option '--target' names '" + name +
                                    "' twice");
    targets.push_back(*target);
  }
  // attn_program lists the best first; a target's place in the table tells.
  llvm::sort(targets,
             [](const TargetSpec *a, const TargetSpec *b) { return a > b; });
  for (const TargetSpec *target : targets)
    if (target->triple != targets.front()->triple)
      return make_error<UsageError>("option '--target' expects targets of one "
                                    "architecture in one library");
  return targets;
}

Expected<size_t> attn::tool::readThreads(const CommandLine &line) {
  auto threads = line.integer(
      OPT_threads, std::max(1u, std::thread::hardware_concurrency()), 1, 1024);
  if (!threads)
    return threads.takeError();
  return static_cast<size_t>(*threads);
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

/// Changes the request before the model is opened.
static Expected<OpenedModel>
openModel(const CommandLine &line,
          function_ref<void(frontend::ModelOptions &)> adapt) {
  auto request = readModelOptions(line);
  auto targets = readTargets(line);
  if (!request || !targets)
    return joinErrors(request.takeError(), targets.takeError());
  adapt(*request);
  auto context = makeContext();
  auto model = frontend::openModel(context.get(), *request);
  if (!model)
    return model.takeError();
  return OpenedModel{std::move(context), std::move(*model), std::move(*targets),
                     line.has(OPT_allow_unfused)};
}

Expected<OpenedModel>
attn::tool::openForRun(const CommandLine &line,
                       const weights::TensorTable *given) {
  return openModel(line, [&](frontend::ModelOptions &request) {
    if (!given)
      return;
    std::vector<StringRef> names = given->names();
    request.present.emplace(names.begin(), names.end());
  });
}

void attn::tool::requestGeneration(frontend::ModelOptions &request) {
  if (sys::path::extension(request.path) == ".mlir" &&
      !sys::fs::is_directory(request.path))
    return;
  request.dims["batch"] = 1;
  request.present.emplace();
}

Expected<OpenedModel> attn::tool::openForGeneration(const CommandLine &line) {
  return openModel(line, requestGeneration);
}
