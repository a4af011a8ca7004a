// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc bench: how fast a compiled model is, and how close to the machine's
// peak.
//
// Two processes: the first compiles and becomes, by exec, the second, which
// opens the library and measures, so that memory of the compiler does not
// count.

#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/engine/Clock.h"
#include "tools/attnc/engine/Engine.h"
#include "tools/attnc/engine/FmaPeak.h"
#include "tools/attnc/engine/Launches.h"
#include "tools/attnc/engine/Tensors.h"
#include "tools/attnc/report/BenchReport.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <thread>
#include <unistd.h>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

constexpr int kWarmUps = 2;
/// Without --repeat: as many runs as take this long, but a few at least.
constexpr double kSeconds = 2;
constexpr size_t kLeastRuns = 5;
/// The clock of a processor moves; its peak is measured this often.
constexpr double kPeakInterval = 0.05;

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

//===----------------------------------------------------------------------===//
// The first process
//===----------------------------------------------------------------------===//

Expected<std::string> findLibrary(const CommandLine &line, StringRef path) {
  if (sys::path::extension(path) == ".so") {
    SmallString<128> absolute(path);
    sys::fs::make_absolute(absolute);
    return absolute.str().str();
  }
  auto request = readRequest(line, /*fixDims=*/false);
  auto targets = readTargets(line);
  if (!request || !targets)
    return joinErrors(request.takeError(), targets.takeError());
  auto model = loadModel(*request);
  if (!model)
    return model.takeError();
  CompilerOptions options;
  options.targets = *targets;
  return compileCached(*model, options);
}

/// The target whose variant opening the library will pick.
Expected<const TargetSpec *> findVariant(StringRef path) {
  auto library = Library::load(path);
  if (!library)
    return library.takeError();
  const attn_program &program = (*library)->program();
  for (const attn_variant &variant :
       ArrayRef(program.variants, program.variant_count))
    for (const TargetSpec &target : allTargets())
      if (target.isa == variant.isa && runsHere(target))
        return &target;
  return fail(path + ": has no variant that this processor runs");
}

/// The words that the second process is called with.
std::vector<std::string> secondCommand(const CommandLine &line,
                                       StringRef library, StringRef fmaKernel) {
  std::vector<std::string> words{"attnc", "bench", library.str(),
                                 "--fma-kernel", fmaKernel.str()};
  auto pass = [&](OptionId id, StringRef name) {
    for (const std::string &value : line.values(id)) {
      words.push_back(name.str());
      words.push_back(value);
    }
  };
  pass(OPT_threads, "--threads");
  pass(OPT_batch, "--batch");
  pass(OPT_dim, "--dim");
  pass(OPT_seed, "--seed");
  pass(OPT_repeat, "--repeat");
  pass(OPT_inputs, "--inputs");
  if (line.has(OPT_by_kernel))
    words.push_back("--by-kernel");
  if (line.has(OPT_json))
    words.push_back("--json");
  return words;
}

/// Returns only if it fails.
Error becomeSecondProcess(const CommandLine &line, StringRef path) {
  auto library = findLibrary(line, path);
  if (!library)
    return library.takeError();
  auto target = findVariant(*library);
  if (!target)
    return target.takeError();
  SmallString<128> fmaKernel;
  if (std::error_code error =
          sys::fs::createTemporaryFile("attnc-fma", "so", fmaKernel))
    return createStringError(error, "cannot create a temporary file: " +
                                        error.message());
  Error error = writeFmaKernel(**target, fmaKernel);
  if (!error) {
    std::vector<std::string> words = secondCommand(line, *library, fmaKernel);
    std::vector<char *> arguments;
    for (std::string &word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    outs().flush();
    ::execv("/proc/self/exe", arguments.data());
    error = fail(Twine("cannot start attnc again: ") + std::strerror(errno));
  }
  sys::fs::remove(fmaKernel);
  return error;
}

//===----------------------------------------------------------------------===//
// The second process
//===----------------------------------------------------------------------===//

/// An executor that times each launch of another one.
class LaunchTimer {
public:
  LaunchTimer(const attn_executor *inner, size_t launches)
      : inner(inner), times(launches),
        outer{this, inner ? inner->slots : 1, run} {}

  const attn_executor *executor() const { return &outer; }
  void beginRun() { next = 0; }
  /// Seconds of each run, for each launch.
  std::vector<std::vector<double>> &seconds() { return times; }

private:
  static void run(void *context, size_t slots, attn_task task, void *arg) {
    auto &self = *static_cast<LaunchTimer *>(context);
    double start = secondsNow();
    if (self.inner)
      self.inner->run(self.inner->context, slots, task, arg);
    else
      for (size_t slot = 0; slot < slots; ++slot)
        task(arg, slot);
    if (self.next < self.times.size())
      self.times[self.next].push_back(secondsNow() - start);
    ++self.next;
  }

  const attn_executor *inner;
  std::vector<std::vector<double>> times;
  size_t next = 0;
  attn_executor outer;
};

struct BenchOptions {
  size_t threads = 1;
  uint64_t seed = 1;
  size_t repeat = 0; ///< 0: for kSeconds
  bool byKernel = false;
};

Expected<BenchOptions> readOptions(const CommandLine &line) {
  auto threads = line.integer(
      OPT_threads, std::max(1u, std::thread::hardware_concurrency()), 1, 1024);
  auto seed = line.integer(OPT_seed, 1, 0, INT64_MAX);
  auto repeat = line.integer(OPT_repeat, 0, 1, 1000000);
  if (!threads || !seed || !repeat)
    return joinErrors(joinErrors(threads.takeError(), seed.takeError()),
                      repeat.takeError());
  return BenchOptions{static_cast<size_t>(*threads),
                      static_cast<uint64_t>(*seed),
                      static_cast<size_t>(*repeat), line.has(OPT_by_kernel)};
}

/// Given inputs, or random ones of the sizes asked for; sets `dims`.
Expected<TensorMap> makeInputs(const CommandLine &line, const Engine &engine,
                               uint64_t seed, std::vector<int64_t> &dims) {
  if (!line.has(OPT_inputs)) {
    auto sizes = chooseSizes(line, dimsOf(engine.program()), usualSize);
    if (!sizes)
      return sizes.takeError();
    dims = *sizes;
    return randomInputs(engine, dims, seed);
  }
  auto inputs = readTensors(line.values(OPT_inputs));
  if (!inputs)
    return inputs.takeError();
  if (Error error = convertInputs(engine.program(), *inputs))
    return std::move(error);
  auto sizes = engine.dimsOf(*inputs);
  if (!sizes)
    return sizes.takeError();
  dims = *sizes;
  return inputs;
}

/// Runs, with measurements of the peak in between.
Error timeRuns(BoundRun &run, const TensorMap &inputs, FmaPeak &peak,
               const BenchOptions &options, LaunchTimer *timer,
               BenchReport &report) {
  for (int i = 0; i < kWarmUps; ++i)
    if (Error error = run.run(inputs))
      return error;
  if (timer)
    for (std::vector<double> &times : timer->seconds())
      times.clear();
  double start = secondsNow(), lastPeak = 0;
  auto isDone = [&] {
    size_t runs = report.seconds.size();
    return options.repeat
               ? runs == options.repeat
               : runs >= kLeastRuns && secondsNow() - start >= kSeconds;
  };
  while (!isDone()) {
    if (secondsNow() - lastPeak >= kPeakInterval) {
      report.peaks.push_back(peak.measure());
      lastPeak = secondsNow();
    }
    if (timer)
      timer->beginRun();
    double before = secondsNow();
    if (Error error = run.run(inputs))
      return error;
    report.seconds.push_back(secondsNow() - before);
  }
  report.peaks.push_back(peak.measure());
  llvm::sort(report.seconds);
  llvm::sort(report.peaks);
  return Error::success();
}

double medianOf(std::vector<double> values) {
  if (values.empty())
    return 0;
  llvm::sort(values);
  return values[values.size() / 2];
}

std::vector<KernelTime> sumByKernel(ArrayRef<Launch> launches,
                                    ArrayRef<std::vector<double>> seconds,
                                    ArrayRef<int64_t> dims) {
  std::vector<KernelTime> kernels;
  for (auto [launch, times] : zip_equal(launches, seconds)) {
    auto it = find_if(kernels, [&, &launch = launch](const KernelTime &kernel) {
      return kernel.kernel == launch.kernel;
    });
    if (it == kernels.end())
      it = kernels.insert(it, KernelTime{launch.kernel});
    ++it->calls;
    it->seconds += medianOf(times);
    it->flops += evaluate(launch.flops, dims);
  }
  llvm::sort(kernels, [](const KernelTime &a, const KernelTime &b) {
    return std::tie(b.seconds, a.kernel) < std::tie(a.seconds, b.kernel);
  });
  return kernels;
}

void describe(const Engine &engine, ArrayRef<int64_t> dims,
              BenchReport &report) {
  const attn_program &program = engine.program();
  report.name = program.name;
  report.isa = engine.isa();
  report.threads = engine.threads();
  report.weightsBytes = program.weights_bytes;
  for (auto [info, size] : zip_equal(dimsOf(program), dims))
    report.dims.emplace_back(info.name, size);
}

/// Lets VmHWM begin anew; without the right to, it counts from the start.
void resetPeakResident() {
  std::error_code error;
  raw_fd_ostream("/proc/self/clear_refs", error) << "5";
}

Expected<BenchReport> measureLibrary(const CommandLine &line, StringRef path,
                                     StringRef fmaKernel) {
  auto options = readOptions(line);
  if (!options)
    return options.takeError();
  BenchReport report;
  report.residentBytesBefore = readMemoryStatus("VmRSS").value_or(0);
  resetPeakResident();
  auto engine = Engine::open(path, options->threads);
  if (!engine)
    return engine.takeError();
  std::vector<int64_t> dims;
  auto inputs = makeInputs(line, **engine, options->seed, dims);
  if (!inputs)
    return inputs.takeError();
  auto launches = readLaunches((*engine)->program());
  if (!launches)
    return launches.takeError();
  for (const Launch &launch : *launches)
    report.flops += evaluate(launch.flops, dims);

  LaunchTimer timer((*engine)->pool(), launches->size());
  auto run = BoundRun::create(
      **engine, dims, options->byKernel ? timer.executor() : (*engine)->pool());
  if (!run)
    return run.takeError();
  auto peak = FmaPeak::open(fmaKernel, (*engine)->pool());
  if (!peak)
    return peak.takeError();
  if (Error error = timeRuns(**run, *inputs, **peak, *options,
                             options->byKernel ? &timer : nullptr, report))
    return std::move(error);
  describe(**engine, dims, report);
  report.workspaceBytes = (*run)->workspaceBytes();
  if (options->byKernel)
    report.kernels = sumByKernel(*launches, timer.seconds(), dims);
  report.peakResidentBytes = readMemoryStatus("VmHWM").value_or(0);
  return report;
}

} // namespace

Error attn::tool::benchCommand(const CommandLine &line) {
  auto path = line.operand("a model or a library compiled from one");
  auto options = readOptions(line);
  if (!path || !options)
    return joinErrors(path.takeError(), options.takeError());
  if (!line.has(OPT_fma_kernel))
    return becomeSecondProcess(line, *path);
  auto report = measureLibrary(line, *path, line.value(OPT_fma_kernel));
  sys::fs::remove(line.value(OPT_fma_kernel));
  if (!report)
    return report.takeError();
  if (line.has(OPT_json))
    report->printJson(outs());
  else
    report->print(outs());
  return Error::success();
}
