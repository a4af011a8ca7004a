// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc verify: a compiled model against the f64 reference, layer by layer.

#include "codegen/reference/Evaluator.h"
#include "dialect/AttnOps.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/engine/Engine.h"
#include "tools/attnc/engine/Tensors.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <thread>

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

Comparison compare(StringRef name, bool isLayer, const weights::Tensor &actual,
                   const reference::Array &expected) {
  Comparison result{name.str(), isLayer};
  std::vector<double> values(actual.elements());
  weights::readAsF64(actual, 0, values);
  ArrayRef<double> wanted = expected.floats();
  double mean = 0;
  for (double value : wanted)
    mean += std::abs(value) / wanted.size();
  for (auto [a, e] : zip_equal(values, wanted)) {
    bool same = a == e || (std::isnan(a) && std::isnan(e));
    double error = same ? 0 : std::abs(a - e);
    double ratio = error / (kRelative * std::abs(e) + kOfMean * mean + 1e-30);
    // A NaN on one side only is the worst there is.
    if (std::isnan(error) || std::isnan(ratio))
      error = ratio = INFINITY;
    result.worstError = std::max(result.worstError, error);
    result.worstRatio = std::max(result.worstRatio, ratio);
  }
  return result;
}

/// The reference's outputs and taps, by name.
Expected<std::map<std::string, reference::Array>>
evaluateReference(LoadedModel &model, const TensorMap &inputs) {
  mlir::func::FuncOp function = model.function();
  SmallVector<reference::Array> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto name = function.getArgAttrOfType<mlir::StringAttr>(i, kNameAttr);
    auto array = toArray(inputs.at(name.getValue().str()));
    if (!array)
      return array.takeError();
    arguments.push_back(std::move(*array));
  }
  std::map<std::string, reference::Array> values;
  auto weights = [&](StringRef name,
                     mlir::RankedTensorType) -> Expected<reference::Array> {
    const weights::Tensor *tensor = model.weights.find(name);
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
            out.attribute("max_abs_error", c.worstError);
            out.attribute("error_over_tolerance", c.worstRatio);
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

} // namespace

Error attn::tool::verifyCommand(const CommandLine &line) {
  auto request = readRequest(line, /*fixDims=*/false);
  if (!request)
    return request.takeError();
  auto targets = readTargets(line);
  if (!targets)
    return targets.takeError();
  auto threads = line.integer(
      OPT_threads, std::max(1u, std::thread::hardware_concurrency()), 1, 1024);
  auto seed = line.integer(OPT_seed, 1, 0, INT64_MAX);
  if (!threads || !seed)
    return joinErrors(threads.takeError(), seed.takeError());
  TensorMap inputs;
  if (line.has(OPT_inputs)) {
    auto tensors = readTensors(line.values(OPT_inputs));
    if (!tensors)
      return tensors.takeError();
    inputs = std::move(*tensors);
    auto optional = optionalInputs(*request);
    if (!optional)
      return optional.takeError();
    for (const std::string &name : *optional)
      if (!inputs.count(name))
        request->without.push_back(name);
  }

  auto model = loadModel(*request);
  if (!model)
    return model.takeError();
  // Compiling changes the module; the reference wants it as it was built.
  mlir::OwningOpRef<mlir::ModuleOp> original = model->module->clone();
  CompilerOptions options;
  options.targets = *targets;
  options.exposeTaps = true;
  auto library = compileCached(*model, options);
  if (!library)
    return library.takeError();
  model->module = std::move(original);
  auto engine = Engine::open(*library, *threads);
  if (!engine)
    return engine.takeError();
  if (inputs.empty()) {
    auto sizes =
        chooseSizes(line, dimsOf((*engine)->program()),
                    [](StringRef name) { return name == "batch" ? 2 : 24; });
    if (!sizes)
      return sizes.takeError();
    auto made = randomInputs(**engine, *sizes, *seed);
    if (!made)
      return made.takeError();
    inputs = std::move(*made);
  } else if (Error error = convertInputs((*engine)->program(), inputs)) {
    return error;
  }

  auto actual = (*engine)->run(inputs);
  if (!actual)
    return actual.takeError();
  auto expected = evaluateReference(*model, inputs);
  if (!expected)
    return expected.takeError();

  // Layers come first, in the order of the model: outputs are what was there
  // before taps were added.
  std::vector<Comparison> layers, results;
  unsigned outputs = model->function().getNumResults();
  const attn_program &program = (*engine)->program();
  for (uint32_t i = 0; i < program.output_count; ++i) {
    std::string name = program.outputs[i].name;
    if (!expected->count(name))
      return createStringError("the reference has no value for '" + name + "'");
    (i < outputs ? results : layers)
        .push_back(
            compare(name, i >= outputs, actual->at(name), expected->at(name)));
  }
  append_range(layers, results);
  print(layers, line.has(OPT_json), outs());
  auto drift =
      find_if(layers, [](const Comparison &c) { return c.worstRatio > 1; });
  if (drift == layers.end())
    return Error::success();
  errs() << "attnc: '" << drift->name
         << "' is the first tensor that differs from the reference\n";
  return make_error<ExitStatus>(ExitDrift);
}
