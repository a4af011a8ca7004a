// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc bench --generate: a generator as programs use it, step by step.

#include "tools/attnc/commands/MeasureGeneration.h"

#include "attn/generate.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/LaunchTimer.h"
#include "tools/attnc/engine/ReadRate.h"
#include "tools/attnc/report/UsualSize.h"

#include <numeric>
#include <random>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// Sequences, and tokens of a prompt, that one call takes.
constexpr int64_t kMostSequences = 256, kMostTokens = 1 << 20;
/// Memory's speed changes with who else uses it; it is measured this often.
constexpr double kRateInterval = 0.5;

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

struct DestroyGenerator {
  void operator()(attn_generator *generator) const {
    attn_generator_destroy(generator);
  }
};

class GenerationBench {
public:
  GenerationBench(Engine &engine, const BenchOptions &options,
                  std::vector<Launch> launches, GenerationReport &report)
      : engine(engine), options(options), launches(std::move(launches)),
        timer(engine.pool(), this->launches.size()), report(report) {}

  Error run(int64_t newTokens);

private:
  Error create(int64_t newTokens);
  Error addPrompts(int64_t newTokens);
  /// Seconds of one call.
  Expected<double> step();
  std::vector<double> weightBytes() const;
  double bytesPerStep(int64_t newTokens) const;

  Engine &engine;
  const BenchOptions &options;
  std::vector<Launch> launches;
  LaunchTimer timer;
  GenerationReport &report;
  std::unique_ptr<attn_generator, DestroyGenerator> generator;
};

Error GenerationBench::create(int64_t newTokens) {
  const attn_program &program = engine.program();
  attn_request request{};
  std::vector<int64_t> prompt(report.tokens);
  request.prompt = prompt.data();
  request.prompt_count = prompt.size();
  request.max_new_tokens = newTokens;
  attn_generator_options settings{};
  settings.sequences = report.batch;
  settings.tokens = report.batch * report.tokens;
  settings.pages = attn_request_pages(&program, &request) * report.batch;
  settings.executor = options.byKernel ? timer.executor() : engine.pool();
  report.cacheBytes = settings.pages * program.cache->page_bytes;
  attn_generator *created;
  attn_error error;
  if (attn_generator_create(&program, engine.handle(), &settings, &created,
                            &error) != ATTN_OK)
    return fail(error.message);
  generator.reset(created);
  return Error::success();
}

Error GenerationBench::addPrompts(int64_t newTokens) {
  const attn_program &program = engine.program();
  auto inputs = ArrayRef(program.inputs, program.input_count);
  auto *ids = find_if(inputs, [](const attn_tensor_info &info) {
    return info.role == ATTN_ROLE_TOKENS;
  });
  std::mt19937_64 random(options.seed);
  std::vector<int64_t> prompt(report.tokens);
  for (int64_t i = 0; i < report.batch; ++i) {
    for (int64_t &token : prompt)
      token =
          static_cast<int64_t>(random() % static_cast<uint64_t>(ids->bound));
    attn_request request{};
    request.prompt = prompt.data();
    request.prompt_count = prompt.size();
    request.max_new_tokens = newTokens;
    int64_t sequence;
    attn_error error;
    if (attn_generator_add(generator.get(), &request, &sequence, &error) !=
        ATTN_OK)
      return fail(error.message);
  }
  return Error::success();
}

Expected<double> GenerationBench::step() {
  if (options.byKernel)
    timer.beginRun();
  attn_error error;
  double start = secondsNow();
  if (attn_generator_step(generator.get(), nullptr, &error) != ATTN_OK)
    return fail(error.message);
  return secondsNow() - start;
}

/// Of weights that each launch reads in a step with one new token for each
/// sequence.
std::vector<double> GenerationBench::weightBytes() const {
  std::vector<int64_t> sizes(engine.program().dim_count, report.batch);
  std::vector<double> bytes;
  for (const Launch &launch : launches)
    bytes.push_back(evaluate(launch.weightBytes, sizes));
  return bytes;
}

/// With half of the new tokens there, as on average.
double GenerationBench::bytesPerStep(int64_t newTokens) const {
  std::vector<double> weights = weightBytes();
  const attn_cache_info &cache = *engine.program().cache;
  double positions = report.batch * (report.tokens + newTokens / 2.0);
  return std::accumulate(weights.begin(), weights.end(), 0.0) +
         positions * cache.page_bytes / cache.page_tokens;
}

Error GenerationBench::run(int64_t newTokens) {
  auto rate = ReadRate::open(engine.pool());
  if (!rate)
    return rate.takeError();
  // The prompt comes twice: the first time reads the weights from the disk.
  for (int round = 0; round < 2; ++round) {
    if (Error error = create(newTokens))
      return error;
    if (Error error = addPrompts(newTokens))
      return error;
    auto seconds = step();
    if (!seconds)
      return seconds.takeError();
    report.promptSeconds = *seconds;
  }
  for (std::vector<double> &times : timer.seconds())
    times.clear();
  double lastRate = 0;
  for (int64_t i = 1; i < newTokens; ++i) {
    if (secondsNow() - lastRate >= kRateInterval) {
      report.readRates.push_back((*rate)->measure());
      lastRate = secondsNow();
    }
    auto seconds = step();
    if (!seconds)
      return seconds.takeError();
    report.seconds.push_back(*seconds);
  }
  report.readRates.push_back((*rate)->measure());
  llvm::sort(report.seconds);
  llvm::sort(report.readRates);
  report.bytesPerStep = bytesPerStep(newTokens);
  if (options.byKernel)
    report.kernels = sumByKernel(launches, timer.seconds(), weightBytes());
  return Error::success();
}

} // namespace

Expected<int64_t> attn::tool::readBenchTokens(const CommandLine &line) {
  // One comes of the prompt, and a step is needed to measure.
  return line.integer(OPT_generate, 0, 2, INT32_MAX);
}

Expected<GenerationReport>
attn::tool::measureGeneration(const CommandLine &line, StringRef path,
                              const BenchOptions &options) {
  auto newTokens = readBenchTokens(line);
  auto engine = Engine::open(path, options.threads);
  if (!newTokens || !engine)
    return joinErrors(newTokens.takeError(), engine.takeError());
  const attn_program &program = (*engine)->program();
  if (!program.cache)
    return fail("'" + Twine(program.name) +
                "' was not compiled for generation; use attnc compile "
                "--generation");
  if (program.part_count)
    return fail("'" + Twine(program.name) +
                "' encodes what it answers; bench measures the steps of models "
                "that only decode");
  int64_t longest =
      program.cache->positions ? program.cache->positions : kMostTokens;
  if (longest <= *newTokens)
    return make_error<UsageError>("--generate expects fewer than the " +
                                  Twine(longest) + " positions of the model");
  attn_dim_info dims[] = {{"batch", 1, kMostSequences},
                          {"tokens", 1, longest - *newTokens}};
  auto sizes = chooseSizes(line, dims, usualSize);
  auto launches = readLaunches(program, /*dims=*/{});
  if (!sizes || !launches)
    return joinErrors(sizes.takeError(), launches.takeError());
  GenerationReport report;
  report.name = program.name;
  report.isa = (*engine)->isa();
  report.threads = (*engine)->threads();
  report.batch = (*sizes)[0];
  report.tokens = (*sizes)[1];
  report.openSeconds = (*engine)->openSeconds();
  report.weightsBytes = program.weights_bytes;
  GenerationBench bench(**engine, options, std::move(*launches), report);
  if (Error error = bench.run(*newTokens))
    return std::move(error);
  return report;
}
