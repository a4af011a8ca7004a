// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc bench: how fast a compiled model is, and how close to the machine's
// peak.
//
// Two processes: the first compiles and becomes, by exec, the second, which
// opens the library and measures, so that memory of the compiler does not
// count.

#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/Measure.h"
#include "tools/attnc/commands/MeasureGeneration.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/engine/FmaPeak.h"
#include "tools/attnc/engine/LaunchPairs.h"
#include "tools/attnc/report/UsualSize.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <unistd.h>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
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

/// What the second process is told.
struct CompiledLibrary {
  std::string path;
  /// The part of its work that each launch does, where one may do less than
  /// all; see computedShares.
  std::vector<double> shares;
};

/// Counts with the very inputs that the second process will make.
Expected<std::vector<double>>
countShares(const CommandLine &line, frontend::Model &model,
            const CompilerOptions &options, const TargetSpec &target,
            StringRef library,
            const std::optional<weights::TensorTable> &given) {
  auto engine = Engine::open(library, 1);
  auto bench = readBenchOptions(line);
  if (!engine || !bench)
    return joinErrors(engine.takeError(), bench.takeError());
  auto inputs = makeInputs(line, **engine, given, bench->seed, usualSize);
  if (!inputs)
    return inputs.takeError();
  mlir::func::FuncOp planned = model.function();
  // What was just compiled has been lowered; what lay in the cache has not.
  if (!planned->hasAttr(kBufferBytesAttr))
    if (Error error = Compiler(model, options).lowerTo(Stage::Plan))
      return std::move(error);
  auto shapes = SymbolicShapes::compute(planned);
  if (mlir::failed(shapes))
    return fail("the model's sizes cannot be counted; the reasons are above");
  KnownRun run{{}, inputs->tensors};
  for (const std::string &symbol : shapes->symbols())
    for (auto [info, size] :
         zip_equal(dimsOf((*engine)->program()), inputs->dims))
      if (symbol == info.name)
        run.sizes.push_back(size);
  return computedShares(planned, *shapes, run, target);
}

Expected<CompiledLibrary> findLibrary(const CommandLine &line, StringRef path) {
  if (sys::path::extension(path) == ".so") {
    if (Error error = refuseModelOptions(line))
      return std::move(error);
    SmallString<128> absolute(path);
    (void)sys::fs::make_absolute(absolute);
    return CompiledLibrary{absolute.str().str(), {}};
  }
  auto given = readGivenInputs(line);
  if (!given)
    return given.takeError();
  auto opened = openForRun(line, *given ? &**given : nullptr);
  if (!opened)
    return opened.takeError();
  CompilerOptions options = opened->compilerOptions();
  auto library = compileCached(opened->model, options);
  if (!library)
    return library.takeError();
  CompiledLibrary found{*library, {}};
  auto target = findVariant(*library);
  if (!target)
    return target.takeError();
  auto shares =
      countShares(line, opened->model, options, **target, *library, *given);
  if (!shares)
    return shares.takeError();
  found.shares = std::move(*shares);
  return found;
}

/// The words that the second process is called with.
std::vector<std::string> secondCommand(const CommandLine &line,
                                       const CompiledLibrary &library) {
  std::vector<std::string> words{"attnc", "bench", library.path};
  auto pass = [&](OptionId id, StringRef name) {
    for (const std::string &value : line.values(id)) {
      words.push_back(name.str());
      words.push_back(value);
    }
  };
  pass(OPT_threads, "--threads");
  pass(OPT_batch, "--batch");
  pass(OPT_size, "--size");
  pass(OPT_seed, "--seed");
  pass(OPT_repeat, "--repeat");
  pass(OPT_inputs, "--inputs");
  pass(OPT_generate, "--generate");
  if (!library.shares.empty()) {
    words.push_back("--computed-shares");
    words.push_back(join(
        map_range(library.shares,
                  [](double share) { return formatv("{0:F9}", share).str(); }),
        ","));
  }
  if (line.has(OPT_by_kernel))
    words.push_back("--by-kernel");
  if (line.has(OPT_json))
    words.push_back("--json");
  return words;
}

/// Returns only if it fails.
Error becomeProcess(std::vector<std::string> words) {
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  outs().flush();
  ::execv("/proc/self/exe", arguments.data());
  return fail(Twine("cannot start attnc again: ") + std::strerror(errno));
}

/// Returns only if it fails.
Error becomeSecondProcess(const CommandLine &line, StringRef path) {
  auto library = findLibrary(line, path);
  if (!library)
    return library.takeError();
  auto target = findVariant(library->path);
  if (!target)
    return target.takeError();
  SmallString<128> fmaKernel;
  if (std::error_code error =
          sys::fs::createTemporaryFile("attnc-fma", "so", fmaKernel))
    return createStringError(error, "cannot create a temporary file: " +
                                        error.message());
  Error error = writeFmaKernel(**target, fmaKernel);
  if (!error) {
    std::vector<std::string> words = secondCommand(line, *library);
    words.insert(words.end(), {"--fma-kernel", fmaKernel.str().str()});
    error = becomeProcess(std::move(words));
  }
  (void)sys::fs::remove(fmaKernel);
  return error;
}

Expected<std::string> compileForGeneration(const CommandLine &line) {
  auto opened = openForGeneration(line);
  if (!opened)
    return opened.takeError();
  CompilerOptions options = opened->compilerOptions();
  options.generates = true;
  return compileCached(opened->model, options);
}

template <typename Report>
Error printReport(const CommandLine &line, Expected<Report> report) {
  if (!report)
    return report.takeError();
  if (line.has(OPT_json))
    report->printJson(outs());
  else
    report->print(outs());
  return Error::success();
}

/// With --generate; the second process is the one that gets a library.
Error benchGeneration(const CommandLine &line, StringRef path,
                      const BenchOptions &options) {
  if (line.has(OPT_inputs) || line.has(OPT_repeat))
    return make_error<UsageError>(
        "'attnc bench --generate' makes its own prompts, of --size tokens=N, "
        "and as many steps as it says: --inputs and --repeat do not go with "
        "it");
  if (auto tokens = readBenchTokens(line); !tokens)
    return tokens.takeError();
  if (sys::path::extension(path) != ".so") {
    auto library = compileForGeneration(line);
    if (!library)
      return library.takeError();
    return becomeProcess(secondCommand(line, {*library, {}}));
  }
  if (Error error = refuseModelOptions(line))
    return error;
  auto report = measureGeneration(line, path, options);
  return printReport(line, std::move(report));
}

} // namespace

Error attn::tool::benchCommand(const CommandLine &line) {
  auto path = line.operand("a model or a library compiled from one");
  auto options = readBenchOptions(line);
  if (!path || !options)
    return joinErrors(path.takeError(), options.takeError());
  if (line.has(OPT_generate))
    return benchGeneration(line, *path, *options);
  if (!line.has(OPT_fma_kernel))
    return becomeSecondProcess(line, *path);
  auto report = measureLibrary(line, *path, *options);
  (void)sys::fs::remove(line.value(OPT_fma_kernel));
  return printReport(line, std::move(report));
}
