// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc run: a model on tensors or pictures.

#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/Pictures.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/engine/Engine.h"
#include "tools/attnc/engine/Tensors.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <thread>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

bool isLibrary(StringRef path) { return sys::path::extension(path) == ".so"; }

/// Optional inputs that were not given take their defaults: the model is built
/// without them.
Error leaveOutAbsentInputs(ModelRequest &request, const TensorMap &inputs) {
  auto optional = optionalInputs(request);
  if (!optional)
    return optional.takeError();
  for (const std::string &name : *optional)
    if (!inputs.count(name) && !is_contained(request.without, name))
      request.without.push_back(name);
  return Error::success();
}

Error runTensors(const CommandLine &line, Engine &engine, TensorMap inputs) {
  if (Error error = convertInputs(engine.program(), inputs))
    return error;
  auto outputs = engine.run(inputs);
  if (!outputs)
    return outputs.takeError();
  if (line.has(OPT_outputs))
    return writeTensors(line.values(OPT_outputs), *outputs);
  printTensors(*outputs, line.has(OPT_json), outs());
  return Error::success();
}

} // namespace

Error attn::tool::runCommand(const CommandLine &line) {
  auto request = readRequest(line, /*fixDims=*/true);
  if (!request)
    return request.takeError();
  auto threads = line.integer(
      OPT_threads, std::max(1u, std::thread::hardware_concurrency()), 1, 1024);
  if (!threads)
    return threads.takeError();
  bool pictures = line.has(OPT_image);
  if (pictures == line.has(OPT_inputs))
    return make_error<UsageError>(
        "'attnc run' expects either --inputs or --image");
  TensorMap inputs;
  if (!pictures) {
    auto tensors = readTensors(line.values(OPT_inputs));
    if (!tensors)
      return tensors.takeError();
    inputs = std::move(*tensors);
  }

  if (isLibrary(request->path)) {
    if (pictures)
      return make_error<UsageError>(
          "--image expects a model directory, whose preprocessor_config.json "
          "says how pictures are prepared");
    auto engine = Engine::open(request->path, *threads);
    if (!engine)
      return engine.takeError();
    return runTensors(line, **engine, std::move(inputs));
  }

  if (!pictures)
    if (Error error = leaveOutAbsentInputs(*request, inputs))
      return error;
  auto model = loadModel(*request);
  if (!model)
    return model.takeError();
  CompilerOptions options;
  auto targets = readTargets(line);
  if (!targets)
    return targets.takeError();
  options.targets = *targets;
  auto library = compileCached(*model, options);
  if (!library)
    return library.takeError();
  auto engine = Engine::open(*library, *threads);
  if (!engine)
    return engine.takeError();
  if (pictures)
    return classifyPictures(line, *model, **engine);
  return runTensors(line, **engine, std::move(inputs));
}
