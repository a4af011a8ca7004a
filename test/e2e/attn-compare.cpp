// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compares the tensors of a safetensors file with the expected ones.

#include "Comparison.h"

#include "frontend/weights/Message.h"
#include "frontend/weights/Safetensors.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"

using namespace attn::test;
using namespace attn::weights;
using namespace llvm;

namespace {

struct Options {
  cl::opt<std::string> actual{cl::Positional, cl::Required,
                              cl::desc("ACTUAL.safetensors")};
  cl::opt<std::string> expected{cl::Positional, cl::Required,
                                cl::desc("EXPECTED.safetensors")};
  cl::list<std::string> only{
      "only", cl::CommaSeparated, cl::value_desc("name,..."),
      cl::desc("compare these tensors of EXPECTED, not all")};
  cl::opt<std::string> golden{
      "case", cl::value_desc("case.json"),
      cl::desc("take the tolerance of this golden case")};
  cl::opt<double> rtol{"rtol", cl::desc("relative tolerance")};
  cl::opt<double> atol{"atol", cl::desc("absolute tolerance")};
  cl::opt<bool> bits{"bits", cl::desc("types and bytes must be equal")};
};

enum ExitCode { passed = 0, differing = 1, unusable = 2 };

} // namespace

static Expected<Tolerance> toleranceOf(const Options &options) {
  bool given =
      options.rtol.getNumOccurrences() && options.atol.getNumOccurrences();
  if (options.bits || (given && options.golden.empty()))
    return Tolerance{options.rtol, options.atol};
  if (!options.golden.empty() && !given)
    return readTolerance(options.golden);
  return createStringError("expects --case, --rtol with --atol, or --bits");
}

// Names of the expected tensors; fails for a name that EXPECTED does not have.
static Expected<std::vector<StringRef>> namesOf(const Options &options,
                                                const TensorTable &expected) {
  if (options.only.empty() && expected.size() == 0)
    return fileError(expected.origin(), "expects tensors to compare with");
  if (options.only.empty())
    return expected.names();
  std::vector<StringRef> names;
  for (const std::string &name : options.only) {
    if (!expected.find(name))
      return tensorError(expected.origin(), name, "is not in the file");
    names.push_back(name);
  }
  return names;
}

// Prints one line about the tensor.
static bool reportTensor(StringRef name, const Tensor &actual,
                         const Tensor &expected, const Options &options,
                         Tolerance tolerance) {
  if (options.bits) {
    std::string difference = toString(compareBits(actual, expected));
    outs() << name << ": " << (difference.empty() ? "equal" : difference)
           << "\n";
    return difference.empty();
  }
  auto worst = compare(actual, expected, tolerance);
  if (!worst) {
    outs() << name << ": " << toString(worst.takeError()) << "\n";
    return false;
  }
  outs() << name << ": ";
  if (worst->passes())
    outs() << "passes with " << format("%.3g", worst->errorOverTolerance)
           << " of the tolerance";
  else
    outs() << "fails with " << format("%.3g", worst->errorOverTolerance)
           << " times the tolerance";
  if (expected.elements() > 0)
    outs() << "; worst element " << placeText(expected.shape, worst->index)
           << " is " << format("%.9g", worst->actual) << ", expected "
           << format("%.9g", worst->expected);
  outs() << "\n";
  return worst->passes();
}

static Expected<bool> compareFiles(const Options &options) {
  auto tolerance = toleranceOf(options);
  if (!tolerance)
    return tolerance.takeError();
  auto expected = openSafetensors(options.expected);
  if (!expected)
    return expected.takeError();
  auto actual = openSafetensors(options.actual);
  if (!actual)
    return actual.takeError();
  auto names = namesOf(options, *expected);
  if (!names)
    return names.takeError();

  bool allPass = true;
  for (StringRef name : *names) {
    const Tensor *tensor = actual->find(name);
    if (!tensor)
      outs() << name << ": is missing in " << options.actual << "\n";
    allPass &= tensor && reportTensor(name, *tensor, *expected->find(name),
                                      options, *tolerance);
  }
  return allPass;
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  Options options;
  cl::ParseCommandLineOptions(
      argc, argv,
      "compares tensors with the expected ones\n\n"
      "An element passes when |actual - expected| <= atol + rtol * "
      "|expected|;\n"
      "integers must be equal, NaN fails. Exit status: 0 all pass, 1 some "
      "differ, 2 bad input.\n");
  auto allPass = compareFiles(options);
  if (!allPass) {
    errs() << "attn-compare: " << toString(allPass.takeError()) << "\n";
    return unusable;
  }
  return *allPass ? passed : differing;
}
