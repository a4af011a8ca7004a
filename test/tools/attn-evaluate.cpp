// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluates functions of a .mlir file with the reference evaluator and prints
// their results or compares them, so that tests can see what a program means.

#include "codegen/reference/Evaluator.h"
#include "codegen/reference/FileTensors.h"
#include "dialect/AttnDialect.h"
#include "frontend/model/Model.h"
#include "frontend/weights/ModelWeights.h"
#include "frontend/weights/Safetensors.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

#include <cmath>

using namespace attn;
using namespace attn::reference;
namespace cl = llvm::cl;

namespace {

struct Options {
  cl::opt<std::string> file{cl::Positional, cl::Required,
                            cl::desc("FILE.mlir")};
  cl::opt<std::string> inputs{
      "inputs", cl::desc("safetensors of the arguments, by attn.name")};
  cl::opt<std::string> weights{
      "weights", cl::desc("a model directory or safetensors file")};
  cl::opt<std::string> expected{
      "expected",
      cl::desc("safetensors to compare the results with, by attn.name; results "
               "that it does not hold are not compared")};
  cl::opt<double> rtol{"rtol", cl::desc("relative tolerance"), cl::init(1e-5)};
  cl::opt<double> atol{"atol", cl::desc("absolute tolerance"), cl::init(1e-6)};
};

/// A function of the program and the files it is evaluated on.
class Evaluation {
public:
  Evaluation(mlir::func::FuncOp function, const Options &options)
      : function(function), options(options) {}

  llvm::Error run();

private:
  llvm::Expected<llvm::SmallVector<Array>> readInputs();
  llvm::Error compare(llvm::ArrayRef<Array> results);

  mlir::func::FuncOp function;
  const Options &options;
};

} // namespace

static void print(llvm::StringRef name, const Array &array) {
  llvm::outs() << name << ": " << formatShape(array.shape());
  if (array.isFloat())
    for (double value : array.floats())
      llvm::outs() << llvm::format(" %.6g", value);
  else
    for (int64_t value : array.integers())
      llvm::outs() << ' ' << value;
  llvm::outs() << '\n';
}

static llvm::Expected<std::string> nameIn(mlir::DictionaryAttr attributes) {
  auto name = attributes ? attributes.getAs<mlir::StringAttr>("attn.name")
                         : mlir::StringAttr();
  if (!name)
    return llvm::createStringError("an argument or result has no attn.name");
  return name.str();
}

llvm::Expected<llvm::SmallVector<Array>> Evaluation::readInputs() {
  llvm::SmallVector<Array> inputs;
  if (function.getNumArguments() == 0)
    return inputs;
  auto table = weights::openSafetensors(options.inputs);
  if (!table)
    return table.takeError();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto name = nameIn(function.getArgAttrDict(i));
    if (!name)
      return name.takeError();
    auto array = readArray(*table, *name);
    if (!array)
      return array.takeError();
    inputs.push_back(*array);
  }
  return inputs;
}

static std::string elementText(const Array &array, size_t at) {
  return array.isFloat() ? llvm::formatv("{0:e9}", array.floats()[at]).str()
                         : std::to_string(array.integers()[at]);
}

/// The position of the first element outside the tolerance; NaN and infinity
/// agree with themselves only.
static std::optional<size_t> firstDifference(const Array &found,
                                             const Array &expected,
                                             const Options &options) {
  if (!found.isFloat()) {
    for (auto [i, pair] :
         llvm::enumerate(llvm::zip(found.integers(), expected.integers())))
      if (std::get<0>(pair) != std::get<1>(pair))
        return i;
    return std::nullopt;
  }
  for (auto [i, a, b] : llvm::enumerate(found.floats(), expected.floats())) {
    bool same = a == b || (std::isnan(a) && std::isnan(b));
    if (!same &&
        !(std::fabs(a - b) <= options.atol + options.rtol * std::fabs(b)))
      return i;
  }
  return std::nullopt;
}

llvm::Error Evaluation::compare(llvm::ArrayRef<Array> results) {
  auto table = weights::openSafetensors(options.expected);
  if (!table)
    return table.takeError();
  size_t compared = 0;
  for (auto [i, found] : llvm::enumerate(results)) {
    auto name = nameIn(function.getResultAttrDict(i));
    if (!name)
      return name.takeError();
    if (!table->find(*name))
      continue;
    auto expected = readArray(*table, *name);
    if (!expected)
      return expected.takeError();
    ++compared;
    if (found.shape() != expected->shape() ||
        found.isFloat() != expected->isFloat())
      return llvm::createStringError("result '" + *name + "': expects shape " +
                                     formatShape(expected->shape()) +
                                     ", but got " + formatShape(found.shape()) +
                                     ", or another element type");
    if (auto at = firstDifference(found, *expected, options))
      return llvm::createStringError(
          "result '" + *name + "' at " + llvm::Twine(*at) + ": expects " +
          elementText(*expected, *at) + ", but got " + elementText(found, *at));
  }
  if (compared == 0)
    return llvm::createStringError(options.expected +
                                   ": holds none of the results");
  return llvm::Error::success();
}

llvm::Error Evaluation::run() {
  auto inputs = readInputs();
  if (!inputs)
    return inputs.takeError();
  std::optional<weights::TensorTable> table;
  if (!options.weights.empty()) {
    auto opened = weights::openWeights(options.weights);
    if (!opened)
      return opened.takeError();
    table = std::move(*opened);
    frontend::renameStored(function->getParentOfType<mlir::ModuleOp>(), *table);
  }
  auto lookup = [&](llvm::StringRef name,
                    mlir::RankedTensorType) -> llvm::Expected<Array> {
    if (!table)
      return llvm::createStringError("no weights were given, but '" + name +
                                     "' is used");
    return readArray(*table, name);
  };
  auto results = evaluateFunction(function, *inputs, lookup, print);
  if (failed(results))
    return llvm::createStringError("@" + function.getName() +
                                   " was not evaluated");
  if (!options.expected.empty())
    return compare(*results);
  for (auto [i, result] : llvm::enumerate(*results))
    print((function.getName() + "#" + llvm::Twine(i)).str(), result);
  return llvm::Error::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  Options options;
  cl::ParseCommandLineOptions(
      argc, argv,
      "evaluates the public functions of a file: those without arguments, or "
      "with --inputs those with arguments\n");

  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler diagnostics(sources, &context);
  auto module =
      mlir::parseSourceFile<mlir::ModuleOp>(options.file, sources, &context);
  if (!module)
    return 1;
  bool failedAny = false;
  for (auto function : module->getOps<mlir::func::FuncOp>()) {
    bool hasArguments = function.getNumArguments() != 0;
    if (!function.isPublic() || hasArguments == options.inputs.empty())
      continue;
    if (llvm::Error error = Evaluation(function, options).run()) {
      llvm::errs() << llvm::toString(std::move(error)) << '\n';
      failedAny = true;
    }
  }
  return failedAny;
}
