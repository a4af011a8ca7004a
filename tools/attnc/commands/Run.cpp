// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc run: a model on tensors or pictures.

#include "frontend/weights/TensorFiles.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Pictures.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/engine/Engine.h"
#include "tools/attnc/report/PrintTensors.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

bool isLibrary(StringRef path) { return sys::path::extension(path) == ".so"; }

Error runTensors(const CommandLine &line, Engine &engine,
                 const weights::TensorTable &table) {
  auto inputs = engine.bindInputs(table);
  if (!inputs)
    return inputs.takeError();
  auto outputs = engine.run(*inputs);
  if (!outputs)
    return outputs.takeError();
  if (line.has(OPT_outputs))
    return weights::writeTensorFiles(line.values(OPT_outputs), *outputs);
  printTensors(*outputs, line.has(OPT_json), outs());
  return Error::success();
}

Error runLibrary(const CommandLine &line, StringRef path, size_t threads,
                 const weights::TensorTable &inputs) {
  if (Error error = refuseModelOptions(line))
    return error;
  auto engine = Engine::open(path, threads);
  if (!engine)
    return engine.takeError();
  return runTensors(line, **engine, inputs);
}

Error runModel(const CommandLine &line, size_t threads,
               const weights::TensorTable *inputs) {
  auto opened = openForRun(line, inputs);
  if (!opened)
    return opened.takeError();
  CompilerOptions options = opened->compilerOptions();
  auto library = compileCached(opened->model, options);
  if (!library)
    return library.takeError();
  auto engine = Engine::open(*library, threads);
  if (!engine)
    return engine.takeError();
  return inputs ? runTensors(line, **engine, *inputs)
                : classifyPictures(line, opened->model, **engine);
}

} // namespace

/// Options that say nothing without --generate.
static Error refuseGenerationOptions(const CommandLine &line) {
  static constexpr std::pair<OptionId, StringLiteral> options[] = {
      {OPT_ids, "--ids"},
      {OPT_decoder_ids, "--decoder-ids"},
      {OPT_temperature, "--temperature"},
      {OPT_top_k, "--top-k"},
      {OPT_top_p, "--top-p"},
      {OPT_repetition_penalty, "--repetition-penalty"},
      {OPT_beams, "--beams"},
      {OPT_length_penalty, "--length-penalty"},
      {OPT_early_stopping, "--early-stopping"},
      {OPT_stop_ids, "--stop-ids"},
      {OPT_seed, "--seed"}};
  for (const auto &[id, name] : options)
    if (line.has(id))
      return make_error<UsageError>("option '" + name +
                                    "' goes with --generate N");
  return Error::success();
}

Error attn::tool::runCommand(const CommandLine &line) {
  if (line.has(OPT_generate))
    return generateCommand(line);
  if (Error error = refuseGenerationOptions(line))
    return error;
  auto path = line.operand("a model or a library compiled from one");
  auto threads = readThreads(line);
  if (!path || !threads)
    return joinErrors(path.takeError(), threads.takeError());
  bool pictures = line.has(OPT_image);
  if (pictures == line.has(OPT_inputs))
    return make_error<UsageError>(
        "'attnc run' expects either --inputs or --image");
  if (pictures && isLibrary(*path))
    return make_error<UsageError>(
        "--image expects a model directory, whose preprocessor_config.json "
        "says how pictures are prepared");
  if (pictures)
    return runModel(line, *threads, nullptr);
  auto inputs = weights::readTensorFiles(line.values(OPT_inputs));
  if (!inputs)
    return inputs.takeError();
  return isLibrary(*path) ? runLibrary(line, *path, *threads, *inputs)
                          : runModel(line, *threads, &*inputs);
}
