// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc bench --generate: a generator as programs use it, step by step.

#include "tools/attnc/commands/MeasureGeneration.h"

#include "tools/attnc/commands/RandomPrompts.h"
#include "tools/attnc/engine/Generator.h"
#include "tools/attnc/engine/LaunchTimer.h"
#include "tools/attnc/engine/ReadRate.h"
#include "tools/attnc/report/UsualSize.h"

#include <numeric>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// Memory's speed changes with who else uses it; it is measured this often.
constexpr double kRateInterval = 0.5;

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

class GenerationBench {
public:
  GenerationBench(Engine &engine, const BenchOptions &options,
                  std::vector<Launch> launches, std::vector<Prompt> prompts,
                  GenerationReport &report)
      : engine(engine), options(options), launches(std::move(launches)),
        timer(engine.pool(), this->launches.size()),
        prompts(std::move(prompts)), sources(this->prompts.size()),
        report(report) {}

  Error run(int64_t newTokens);

private:
  Error create(int64_t newTokens);
  Error addPrompts(int64_t newTokens);
  /// Seconds of one call.
  Expected<double> step();
  attn_request request(size_t number, int64_t newTokens);
  std::vector<double> weightBytes() const;
  int64_t memoryPositions() const;
  double bytesPerStep(int64_t newTokens) const;

  Engine &engine;
  const BenchOptions &options;
  std::vector<Launch> launches;
  LaunchTimer timer;
  std::vector<Prompt> prompts;
  std::vector<std::vector<const void *>> sources; ///< of the prompts
  GenerationReport &report;
  Generator generator;
};

attn_request GenerationBench::request(size_t number, int64_t newTokens) {
  attn_request request = requestFor(prompts[number], sources[number]);
  request.max_new_tokens = newTokens;
  return request;
}

Error GenerationBench::create(int64_t newTokens) {
  const attn_program &program = engine.program();
  attn_request request = this->request(0, newTokens);
  attn_generator_options settings{};
  settings.sequences = report.batch;
  settings.tokens = report.batch * report.tokens;
  settings.pages = attn_request_pages(&program, &request) * report.batch;
  settings.executor = options.byKernel ? timer.executor() : engine.pool();
  report.cacheBytes = settings.pages * program.cache->page_bytes;
  auto created = createGenerator(engine, settings);
  if (!created)
    return created.takeError();
  generator = std::move(*created);
  return Error::success();
}

Error GenerationBench::addPrompts(int64_t newTokens) {
  for (size_t number = 0; number < prompts.size(); ++number) {
    attn_request request = this->request(number, newTokens);
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

/// Of what was encoded for one prompt.
int64_t GenerationBench::memoryPositions() const {
  const attn_program &program = engine.program();
  if (!program.part_count)
    return 0;
  int64_t length = program.parts[0]->cache->memory_length;
  if (length >= 0)
    return length;
  StringRef name = program.parts[0]->dims[-1 - length].name;
  for (auto &[dim, size] : report.sourceSizes)
    if (dim == name)
      return size;
  return 0;
}

/// With half of the new tokens there, as on average.
double GenerationBench::bytesPerStep(int64_t newTokens) const {
  std::vector<double> weights = weightBytes();
  const attn_cache_info &cache = *engine.program().cache;
  double positions =
      report.batch * (report.tokens + newTokens / 2.0 + memoryPositions());
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
    double start = secondsNow();
    if (Error error = addPrompts(newTokens))
      return error;
    report.encodeSeconds = secondsNow() - start;
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
  // Decoders that answer begin with a token or two.
  auto usual = [&](StringRef dim) {
    return dim == "tokens" && program.part_count ? 1 : usualSize(dim);
  };
  auto sizes = choosePromptSizes(line, program, *newTokens, usual);
  auto launches = readLaunches(program, /*dims=*/{});
  if (!sizes || !launches)
    return joinErrors(sizes.takeError(), launches.takeError());
  auto prompts =
      randomPrompts(program, *sizes, PromptLengths::Equal, options.seed);
  if (!prompts)
    return prompts.takeError();
  GenerationReport report;
  report.name = program.name;
  report.isa = (*engine)->isa();
  report.threads = (*engine)->threads();
  report.batch = sizes->count;
  report.tokens = sizes->tokens;
  report.encodes = program.part_count != 0;
  for (auto [name, size] : zip_equal(sizes->sourceNames, sizes->source))
    report.sourceSizes.emplace_back(name, size);
  report.openSeconds = (*engine)->openSeconds();
  report.weightsBytes = program.weights_bytes;
  GenerationBench bench(**engine, options, std::move(*launches),
                        std::move(*prompts), report);
  if (Error error = bench.run(*newTokens))
    return std::move(error);
  return report;
}
