// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc verify: a compiled model against the f64 reference, layer by layer.

#include "codegen/reference/Evaluator.h"
#include "dialect/AttnOps.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/engine/Engine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <map>
#include <set>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// f32 keeps 24 bits; a dot product of K terms of random sign loses about
/// sqrt(K) / 2 units of the last place, and a model some tens of those. 1e-4 of
/// the value plus 1e-4 of the tensor's mean magnitude is about fifty times the
/// worst error seen on the ViT and the BERT of the test suite.
constexpr double kRelative = 1e-4;
constexpr double kOfMean = 1e-4;

/// The reference is slow: more than one item, and few tokens.
int64_t smallSize(StringRef dim) { return dim == "batch" ? 2 : 24; }

/// JSON has no NaN and no infinity.
json::Value finiteOrNull(double value) {
  return std::isfinite(value) ? json::Value(value) : json::Value(nullptr);
}

struct Comparison {
  std::string name;
  bool isLayer;
  double worstError = 0; ///< largest |actual - expected|
  double worstRatio = 0; ///< the same divided by its tolerance
};

Expected<reference::Array> toArray(const weights::Tensor &tensor) {
  if (weights::isFloatingPoint(tensor.type)) {
    std::vector<double> values(tensor.elements());
    weights::readAsF64(tensor, 0, values);
    return reference::Array::ofFloats(tensor.shape, std::move(values));
  }
  std::vector<int64_t> values(tensor.elements());
  weights::readAsI64(tensor, 0, values);
  return reference::Array::ofIntegers(tensor.shape, std::move(values));
}

/// The mean magnitude of what is finite: the rest has no scale.
double meanMagnitude(ArrayRef<double> values) {
  double sum = 0;
  size_t count = 0;
  for (double value : values)
    if (std::isfinite(value)) {
      sum += std::abs(value);
      ++count;
    }
  return count ? sum / count : 0;
}

Comparison compare(StringRef name, bool isLayer, const weights::Tensor &actual,
                   const reference::Array &expected) {
  Comparison result{name.str(), isLayer};
  std::vector<double> values(actual.elements());
  weights::readAsF64(actual, 0, values);
  // Positions and other whole numbers are compared as numbers.
  std::vector<double> wanted(expected.size());
  if (expected.isFloat())
    copy(expected.floats(), wanted.begin());
  else
    copy(expected.integers(), wanted.begin());
  double mean = meanMagnitude(wanted);
  for (auto [a, e] : zip_equal(values, wanted)) {
    if (a == e || (std::isnan(a) && std::isnan(e)))
      continue;
    double error = std::abs(a - e);
    double ratio = error / (kRelative * std::abs(e) + kOfMean * mean + 1e-30);
    // What is finite on one side only is the worst there is.
    if (!std::isfinite(error))
      error = ratio = INFINITY;
    result.worstError = std::max(result.worstError, error);
    result.worstRatio = std::max(result.worstRatio, ratio);
  }
  return result;
}

/// The reference's outputs and taps, by name.
Expected<std::map<std::string, reference::Array>>
evaluateReference(frontend::Model &model, ArrayRef<weights::Tensor> inputs) {
  mlir::func::FuncOp function = model.function();
  SmallVector<reference::Array> arguments;
  for (const weights::Tensor &input : inputs) {
    auto array = toArray(input);
    if (!array)
      return array.takeError();
    arguments.push_back(std::move(*array));
  }
  std::map<std::string, reference::Array> values;
  auto weights = [&](StringRef name,
                     mlir::RankedTensorType) -> Expected<reference::Array> {
    const weights::Tensor *tensor =
        model.weights ? model.weights->find(name) : nullptr;
    if (!tensor)
      return createStringError("tensor '" + name + "' is missing");
    return toArray(*tensor);
  };
  auto results = reference::evaluateFunction(
      function, arguments, weights,
      [&](StringRef name, const reference::Array &value) {
        values.emplace(name.str(), value);
      });
  if (failed(results))
    return createStringError("the reference cannot evaluate the model; the "
                             "reasons are above");
  for (auto [i, value] : enumerate(*results)) {
    auto name = function.getResultAttrOfType<mlir::StringAttr>(i, kNameAttr);
    values.insert_or_assign(name.getValue().str(), value);
  }
  return values;
}

void print(ArrayRef<Comparison> comparisons, bool json, raw_ostream &os) {
  if (json) {
    json::OStream out(os, 2);
    out.object([&] {
      out.attributeArray("tensors", [&] {
        for (const Comparison &c : comparisons)
          out.object([&] {
            out.attribute("name", c.name);
            out.attribute("layer", c.isLayer);
            out.attribute("max_abs_error", finiteOrNull(c.worstError));
            out.attribute("error_over_tolerance", finiteOrNull(c.worstRatio));
            out.attribute("pass", c.worstRatio <= 1);
          });
      });
    });
    os << "\n";
    return;
  }
  size_t width = 6;
  for (const Comparison &c : comparisons)
    width = std::max(width, c.name.size());
  os << left_justify("tensor", width) << "  max error   of tolerance\n";
  for (const Comparison &c : comparisons)
    os << left_justify(c.name, width)
       << format("  %-10.3g  %-8.4f%s\n", c.worstError, c.worstRatio,
                 c.worstRatio <= 1 ? "" : "  DIFFERS");
}

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
  // Compiling changes the module; the reference wants it as it was built.
  mlir::OwningOpRef<mlir::ModuleOp> original = model.module->clone();
  CompilerOptions options;
  options.targets = opened->targets;
  options.exposeTaps = true;
  auto library = compileCached(model, options);
  if (!library)
    return library.takeError();
  model.module = std::move(original);
  auto engine = Engine::open(*library, threads);
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
  auto comparisons = verify(line, *threads, *seed);
  if (!comparisons)
    return comparisons.takeError();
  print(*comparisons, line.has(OPT_json), outs());
  auto drift = find_if(*comparisons,
                       [](const Comparison &c) { return c.worstRatio > 1; });
  if (drift == comparisons->end())
    return Error::success();
  errs() << "attnc: '" << drift->name
         << "' is the first tensor that differs from the reference\n";
  return make_error<ExitStatus>(ExitDrift);
}
