// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The second process of attnc bench: opens, runs, times.

#include "tools/attnc/commands/Measure.h"

#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Clock.h"
#include "tools/attnc/engine/FmaPeak.h"
#include "tools/attnc/engine/LaunchTimer.h"
#include "tools/attnc/engine/Launches.h"
#include "tools/attnc/report/UsualSize.h"

#include <numeric>

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

/// Runs, with measurements of the peak in between.
Error timeRuns(BoundRun &run, ArrayRef<weights::Tensor> inputs, FmaPeak &peak,
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

/// The work of each launch, without what the first process found left out.
Expected<std::vector<double>> readWork(const CommandLine &line,
                                       ArrayRef<Launch> launches,
                                       ArrayRef<int64_t> dims) {
  std::vector<double> flops;
  for (const Launch &launch : launches)
    flops.push_back(evaluate(launch.flops, dims));
  if (!line.has(OPT_computed_shares))
    return flops;
  std::string text = line.value(OPT_computed_shares);
  SmallVector<StringRef> shares;
  StringRef(text).split(shares, ',');
  if (shares.size() != flops.size())
    return createStringError("expects a share of work for each launch");
  for (auto [work, share] : zip_equal(flops, shares)) {
    double part;
    if (share.getAsDouble(part))
      return createStringError("expects shares of work, but got '" + share +
                               "'");
    work *= part;
  }
  return flops;
}

void describe(const Engine &engine, ArrayRef<int64_t> dims,
              BenchReport &report) {
  const attn_program &program = engine.program();
  report.name = program.name;
  report.isa = engine.isa();
  report.threads = engine.threads();
  report.openSeconds = engine.openSeconds();
  report.weightsBytes = program.weights_bytes;
  for (auto [info, size] : zip_equal(dimsOf(program), dims))
    report.dims.emplace_back(info.name, size);
}

/// Lets VmHWM begin anew; without the right to, it counts from the start.
void resetPeakResident() {
  std::error_code error;
  raw_fd_ostream("/proc/self/clear_refs", error) << "5";
}

} // namespace

static double medianOf(std::vector<double> values) {
  if (values.empty())
    return 0;
  llvm::sort(values);
  return values[values.size() / 2];
}

std::vector<KernelTime>
attn::tool::sumByKernel(ArrayRef<Launch> launches,
                        ArrayRef<std::vector<double>> seconds,
                        ArrayRef<double> work) {
  std::vector<KernelTime> kernels;
  for (auto [launch, times, amount] : zip_equal(launches, seconds, work)) {
    auto it = find_if(kernels, [&, &launch = launch](const KernelTime &kernel) {
      return kernel.kernel == launch.kernel;
    });
    if (it == kernels.end())
      it = kernels.insert(it, KernelTime{launch.kernel});
    ++it->calls;
    it->seconds += medianOf(times);
    it->work += amount;
  }
  llvm::sort(kernels, [](const KernelTime &a, const KernelTime &b) {
    return std::tie(b.seconds, a.kernel) < std::tie(a.seconds, b.kernel);
  });
  return kernels;
}

Expected<BenchOptions> attn::tool::readBenchOptions(const CommandLine &line) {
  auto threads = readThreads(line);
  auto seed = line.integer(OPT_seed, 1, 0, INT64_MAX);
  auto repeat = line.integer(OPT_repeat, 0, 1, 1000000);
  if (!threads || !seed || !repeat)
    return joinErrors(joinErrors(threads.takeError(), seed.takeError()),
                      repeat.takeError());
  return BenchOptions{*threads, static_cast<uint64_t>(*seed),
                      static_cast<size_t>(*repeat), line.has(OPT_by_kernel)};
}

Expected<BenchReport> attn::tool::measureLibrary(const CommandLine &line,
                                                 StringRef path,
                                                 const BenchOptions &options) {
  BenchReport report;
  report.residentBytesBefore = readMemoryStatus("VmRSS").value_or(0);
  resetPeakResident();
  auto engine = Engine::open(path, options.threads);
  if (!engine)
    return engine.takeError();
  auto given = readGivenInputs(line);
  if (!given)
    return given.takeError();
  auto inputs = makeInputs(line, **engine, *given, options.seed, usualSize);
  if (!inputs)
    return inputs.takeError();
  ArrayRef<int64_t> dims = inputs->dims;
  auto launches = readLaunches((*engine)->program(), dims);
  if (!launches)
    return launches.takeError();
  auto flops = readWork(line, *launches, dims);
  if (!flops)
    return flops.takeError();
  report.flops = std::accumulate(flops->begin(), flops->end(), 0.0);
  report.countsLeftOut =
      !line.has(OPT_computed_shares) &&
      any_of(*launches, [](const Launch &launch) { return launch.hasKeep; });

  LaunchTimer timer((*engine)->pool(), launches->size());
  auto run = BoundRun::create(
      **engine, dims, options.byKernel ? timer.executor() : (*engine)->pool());
  if (!run)
    return run.takeError();
  auto peak = FmaPeak::open(line.value(OPT_fma_kernel), (*engine)->pool());
  if (!peak)
    return peak.takeError();
  if (Error error = timeRuns(**run, inputs->tensors, **peak, options,
                             options.byKernel ? &timer : nullptr, report))
    return std::move(error);
  describe(**engine, dims, report);
  report.workspaceBytes = (*run)->workspaceBytes();
  if (options.byKernel)
    report.kernels = sumByKernel(*launches, timer.seconds(), *flops);
  report.peakResidentBytes = readMemoryStatus("VmHWM").value_or(0);
  return report;
}
