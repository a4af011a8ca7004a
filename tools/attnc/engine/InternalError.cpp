// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tells defects of attnc from models it declines, and writes reproducers. They
// hold IR only: weights are never part of it.

#include "tools/attnc/engine/InternalError.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn::tool;

char InternalError::ID;

namespace {

/// Remembers the first pass that failed and whether its IR still verifies.
class FailureObserver : public mlir::PassInstrumentation {
public:
  struct Failure {
    std::string pass;
    bool isValid = true;
  };
  explicit FailureObserver(std::optional<Failure> &failure)
      : failure(failure) {}

  void runAfterPassFailed(mlir::Pass *pass, mlir::Operation *op) override {
    if (failure)
      return;
    mlir::ScopedDiagnosticHandler silent(
        op->getContext(), [](mlir::Diagnostic &) { return mlir::success(); });
    StringRef name = pass->getArgument();
    failure = Failure{(name.empty() ? pass->getName() : name).str(),
                      mlir::succeeded(mlir::verify(op))};
  }

private:
  std::optional<Failure> &failure;
};

/// Writes with `write`; returns what the message says about the file, and how
/// to meet the defect again where `replay` is a command that does.
std::string writeReproducer(function_ref<void(raw_ostream &)> write,
                            StringRef replay) {
  SmallString<128> path;
  int fd;
  if (std::error_code error =
          sys::fs::createTemporaryFile("attnc-reproducer", "mlir", fd, path))
    return "no reproducer can be written: " + error.message();
  raw_fd_ostream file(fd, /*shouldClose=*/true);
  write(file);
  std::string text = ("please report it with " + path +
                      ", which holds the model's structure and no weights")
                         .str();
  if (!replay.empty())
    text += (", and fails again with: " + replay + " " + path).str();
  return text;
}

Error internalError(const Twine &what, function_ref<void(raw_ostream &)> write,
                    StringRef replay = "") {
  return make_error<InternalError>("internal error: " + what + "; " +
                                   writeReproducer(write, replay));
}

constexpr StringLiteral kReplay = "attn-opt --run-reproducer";

/// The module before the passes, with their pipeline as MLIR's own reproducers
/// have it.
void writeWithPipeline(mlir::PassManager &manager, mlir::ModuleOp module,
                       raw_ostream &os) {
  std::string pipeline;
  raw_string_ostream text(pipeline);
  manager.printAsTextualPipeline(text);
  mlir::AsmState state(module);
  state.attachResourcePrinter(
      "mlir_reproducer", [&](mlir::Operation *, mlir::AsmResourceBuilder &out) {
        out.buildString("pipeline", pipeline);
        out.buildBool("disable_threading", true);
        out.buildBool("verify_each", true);
      });
  module.print(os, state);
}

} // namespace

/// The place in a file that a location stands for; null for none.
static mlir::FileLineColLoc placeOf(mlir::Location location) {
  mlir::FileLineColLoc place;
  location->walk([&](mlir::Location part) {
    place = dyn_cast<mlir::FileLineColLoc>(part);
    return place ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
  });
  return place;
}

/// As errors of descriptions are written: file:line:column: error: text.
static void printDiagnostic(mlir::Diagnostic &diagnostic, StringRef severity) {
  if (mlir::FileLineColLoc place = placeOf(diagnostic.getLocation()))
    errs() << place.getFilename().getValue() << ":" << place.getLine() << ":"
           << place.getColumn() << ": ";
  errs() << severity << ": " << diagnostic << "\n";
  // The operation in full says nothing to those who wrote a description; the
  // file of an internal error has it.
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    if (!StringRef(note.str()).starts_with("see current operation"))
      printDiagnostic(note, "note");
}

Error attn::tool::runPasses(mlir::PassManager &manager, mlir::ModuleOp module,
                            const Twine &declined) {
  std::optional<FailureObserver::Failure> failure;
  manager.addInstrumentation(std::make_unique<FailureObserver>(failure));
  mlir::OwningOpRef<mlir::ModuleOp> before = module.clone();
  auto write = [&](raw_ostream &os) {
    writeWithPipeline(manager, *before, os);
  };
  bool saidWhy = false;
  mlir::ScopedDiagnosticHandler listener(
      module.getContext(), [&](mlir::Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error)
          return mlir::failure();
        saidWhy = true;
        printDiagnostic(diagnostic, "error");
        return mlir::success();
      });
  mlir::LogicalResult result = mlir::failure();
  CrashRecoveryContext::Enable();
  CrashRecoveryContext recovery;
  bool survived = recovery.RunSafely([&] { result = manager.run(module); });
  CrashRecoveryContext::Disable();
  if (!survived)
    return internalError("a pass crashed", write, kReplay);
  if (mlir::succeeded(result))
    return Error::success();
  std::string pass = failure ? failure->pass : "the pipeline";
  if (failure && !failure->isValid)
    return internalError("invalid IR after " + pass, write, kReplay);
  if (!saidWhy)
    return internalError(pass + " failed without a reason", write, kReplay);
  return createStringError(inconvertibleErrorCode(), declined);
}

Error attn::tool::runInternalStep(mlir::ModuleOp module,
                                  function_ref<Error()> step) {
  auto write = [&](raw_ostream &os) { module.print(os); };
  std::string problem = "code generation crashed";
  bool failed = false;
  CrashRecoveryContext::Enable();
  CrashRecoveryContext recovery;
  bool survived = recovery.RunSafely([&] {
    if (Error error = step()) {
      failed = true;
      problem = toString(std::move(error));
    }
  });
  CrashRecoveryContext::Disable();
  if (survived && !failed)
    return Error::success();
  return internalError(problem, write);
}
