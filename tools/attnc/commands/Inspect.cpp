// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc inspect: what a model, a compiled library or a weights file holds.

#include "codegen/package/WeightsFile.h"
#include "dialect/AttnOps.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/report/ModelReport.h"
#include "tools/attnc/report/Prediction.h"
#include "tools/attnc/report/UsualSize.h"
#include "tools/attnc/report/WeightsReport.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

Error readWorkspace(StringRef library, ArrayRef<int64_t> sizes,
                    CompiledSizes &compiled) {
  auto engine = Engine::open(library, 1);
  if (!engine)
    return engine.takeError();
  auto one = (*engine)->workspaceBytes(sizes, 1);
  auto two = (*engine)->workspaceBytes(sizes, 2);
  if (!one || !two)
    return joinErrors(one.takeError(), two.takeError());
  compiled.workspaceBytes = *one;
  compiled.workspaceBytesPerThread = *two - *one;
  return Error::success();
}

/// Compiles into the cache: what is inspected is what will run.
Expected<CompiledSizes> compileSizes(frontend::Model &model,
                                     const CompilerOptions &options,
                                     ArrayRef<int64_t> sizes) {
  auto library = compileCached(model, options);
  if (!library)
    return library.takeError();
  CompiledSizes compiled;
  if (std::error_code error =
          sys::fs::file_size(*library, compiled.libraryBytes))
    return createStringError(error, *library + ": " + error.message());
  SmallString<128> weights(*library);
  sys::path::replace_extension(weights, "weights");
  if (sys::fs::exists(weights))
    if (std::error_code error =
            sys::fs::file_size(weights, compiled.weightsBytes))
      return createStringError(error, weights + ": " + error.message());
  if (any_of(options.targets, [](const TargetSpec *t) { return runsHere(*t); }))
    if (Error error = readWorkspace(*library, sizes, compiled))
      return std::move(error);
  return compiled;
}

/// What the planned model tells, whether the cache had it compiled or not.
Error readPlan(frontend::Model &model, const CompilerOptions &options,
               ModelReport &report) {
  if (!model.function()->hasAttr(kBufferBytesAttr))
    if (Error error = Compiler(model, options).lowerTo(Stage::Plan))
      return error;
  report.plannedWeightsBytes =
      (*model.module)
          ->getAttrOfType<mlir::IntegerAttr>(kWeightsBytesAttr)
          .getInt();
  auto seconds =
      predictSeconds(model.function(), *options.targets.front(), report.threads,
                     [&](StringRef dim) { return report.sizeOf(dim); });
  if (!seconds)
    return seconds.takeError();
  report.predictedSeconds = *seconds;
  return Error::success();
}

Expected<ModelReport> inspectModel(const CommandLine &line) {
  auto request = readModelOptions(line);
  auto targets = readTargets(line);
  auto threads = line.integer(OPT_threads, 1, 1, 1024);
  if (!request || !targets || !threads)
    return joinErrors(joinErrors(request.takeError(), targets.takeError()),
                      threads.takeError());
  request->needsWeights = false;
  auto context = makeContext();
  auto model = frontend::openModel(context.get(), *request);
  if (!model)
    return model.takeError();
  ModelReport report;
  report.name = model->name;
  report.threads = *threads;
  report.target = join(
      map_range(*targets,
                [](const TargetSpec *target) { return target->name.str(); }),
      ",");
  auto interface = package::describeModel(model->function());
  if (failed(interface))
    return createStringError("the model has no interface; the reasons are "
                             "above");
  report.interface = *interface;
  auto sizes = chooseSizes(line, report.interface, usualSize);
  if (!sizes)
    return sizes.takeError();
  report.sizes = *sizes;
  auto structure = readStructure(model->function());
  if (!structure)
    return structure.takeError();
  report.structure = std::move(*structure);
  report.flops = report.evaluateAt(report.structure.flops);
  CompilerOptions options;
  options.targets = *targets;
  options.allowUnfused = line.has(OPT_allow_unfused);
  if (!report.structure.parameters || model->weights) {
    auto compiled = compileSizes(*model, options, report.sizes);
    if (!compiled)
      return compiled.takeError();
    report.compiled = *compiled;
  }
  if (Error error = readPlan(*model, options, report))
    return std::move(error);
  return report;
}

void printJson(const json::Value &value, raw_ostream &os) {
  json::OStream(os, 2).value(value);
  os << "\n";
}

Error inspectWeights(const CommandLine &line, StringRef path) {
  auto file = package::WeightsFile::open(path);
  if (!file)
    return file.takeError();
  if (line.has(OPT_check))
    if (Error error = file->check())
      return error;
  if (line.has(OPT_json)) {
    printJson(weightsJson(*file), outs());
    return Error::success();
  }
  printWeights(*file, outs());
  if (line.has(OPT_check))
    outs() << "\nall checksums are right\n";
  return Error::success();
}

/// A library says itself what it is.
Error inspectLibrary(StringRef path) {
  auto library = Library::load(path);
  if (!library)
    return library.takeError();
  outs() << (*library)->program().description << "\n";
  return Error::success();
}

} // namespace

Error attn::tool::inspectCommand(const CommandLine &line) {
  auto path = line.operand("a model, a compiled library or a weights file");
  if (!path)
    return path.takeError();
  StringRef extension = sys::path::extension(*path);
  if (extension == ".weights" || extension == ".so")
    if (Error error = refuseModelOptions(line))
      return error;
  if (extension == ".weights")
    return inspectWeights(line, *path);
  if (line.has(OPT_check))
    return make_error<UsageError>("--check expects a weights file, but got '" +
                                  *path + "'");
  if (extension == ".so")
    return inspectLibrary(*path);
  auto report = inspectModel(line);
  if (!report)
    return report.takeError();
  if (line.has(OPT_json))
    printJson(report->toJson(), outs());
  else
    report->print(outs());
  return Error::success();
}
