// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluates a function of a .mlir file with the reference evaluator and prints
// its results, so that tests can see what a program means.

#include "codegen/reference/Evaluator.h"
#include "dialect/AttnDialect.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

using namespace attn::reference;
namespace cl = llvm::cl;

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

/// Prints the results of a function without arguments, and its taps.
static mlir::LogicalResult evaluate(mlir::func::FuncOp function) {
  auto noWeights = [](llvm::StringRef name, mlir::RankedTensorType) {
    return llvm::Expected<Array>(llvm::createStringError(
        "no weights were given, but '" + name + "' is used"));
  };
  auto results = evaluateFunction(function, {}, noWeights, print);
  if (failed(results))
    return mlir::failure();
  for (auto [i, result] : llvm::enumerate(*results))
    print((function.getName() + "#" + llvm::Twine(i)).str(), result);
  return mlir::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::opt<std::string> file(cl::Positional, cl::Required,
                            cl::desc("FILE.mlir"));
  cl::ParseCommandLineOptions(
      argc, argv, "evaluates every public function without arguments\n");

  mlir::DialectRegistry registry;
  attn::registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler diagnostics(sources, &context);
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(file, sources, &context);
  if (!module)
    return 1;
  bool failedAny = false;
  for (auto function : module->getOps<mlir::func::FuncOp>())
    if (function.isPublic() && function.getNumArguments() == 0)
      failedAny |= failed(evaluate(function));
  return failedAny;
}
