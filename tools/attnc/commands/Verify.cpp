// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc verify: a compiled model against the f64 reference, layer by layer.

#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/commands/VerifyGeneration.h"
#include "tools/attnc/engine/ReferenceModel.h"
#include "llvm/Support/raw_ostream.h"

#include <set>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// The reference is slow: more than one item, and few tokens.
int64_t smallSize(StringRef dim) { return dim == "batch" ? 2 : 24; }

/// Says which scopes of the reference the compiled model does not give.
void noteMissing(ArrayRef<weights::NamedTensor> actual,
                 const std::map<std::string, reference::Array> &expected) {
  std::set<std::string> known;
  for (const weights::NamedTensor &named : actual)
    known.insert(named.name);
  for (const auto &[name, value] : expected)
    // A tap is the first result of its operation; others have a number.
    if (!known.count(name) && !StringRef(name).contains('#'))
      errs() << "attnc: '" << name
             << "' is not compared: a size of it is none of the model's "
                "dimensions\n";
}

/// Compares every output, layers first: in the order of the model, outputs are
/// what was there before taps were added.
Expected<std::vector<Comparison>>
compareAll(ArrayRef<weights::NamedTensor> actual,
           const std::map<std::string, reference::Array> &expected,
           unsigned outputs) {
  std::vector<Comparison> layers, results;
  for (auto [i, named] : enumerate(actual)) {
    auto it = expected.find(named.name);
    if (it == expected.end())
      return createStringError("the reference has no value for '" + named.name +
                               "'");
    (i < outputs ? results : layers)
        .push_back(compare(named.name, i >= outputs, named.tensor, it->second));
  }
  append_range(layers, results);
  return layers;
}

Expected<std::vector<Comparison>> verify(const CommandLine &line,
                                         size_t threads, uint64_t seed) {
  auto given = readGivenInputs(line);
  if (!given)
    return given.takeError();
  auto opened = openForRun(line, *given ? &**given : nullptr);
  if (!opened)
    return opened.takeError();
  frontend::Model &model = opened->model;
  CompilerOptions options = opened->compilerOptions();
  options.exposeTaps = true;
  auto engine = openBesideReference(model, options, threads);
  if (!engine)
    return engine.takeError();
  auto inputs = makeInputs(line, **engine, *given, seed, smallSize);
  if (!inputs)
    return inputs.takeError();
  auto actual = (*engine)->run(*inputs);
  if (!actual)
    return actual.takeError();
  auto expected = evaluateReference(model, inputs->tensors);
  if (!expected)
    return expected.takeError();
  noteMissing(*actual, *expected);
  return compareAll(*actual, *expected, model.function().getNumResults());
}

} // namespace

Error attn::tool::verifyCommand(const CommandLine &line) {
  auto threads = readThreads(line);
  auto seed = line.integer(OPT_seed, 1, 0, INT64_MAX);
  if (!threads || !seed)
    return joinErrors(threads.takeError(), seed.takeError());
  auto comparisons = line.has(OPT_generate)
                         ? verifyGeneration(line, *threads, *seed)
                         : verify(line, *threads, *seed);
  if (!comparisons)
    return comparisons.takeError();
  printComparisons(*comparisons, line.has(OPT_json), outs());
  auto drift = find_if(*comparisons,
                       [](const Comparison &c) { return c.worstRatio > 1; });
  if (drift == comparisons->end())
    return Error::success();
  errs() << "attnc: '" << drift->name
         << "' is the first tensor that differs from the reference\n";
  return make_error<ExitStatus>(ExitDrift);
}
