// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Defects are told from models that are declined, and leave a reproducer.

#include "tools/attnc/engine/InternalError.h"

#include "dialect/AttnOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif

using namespace mlir;
using namespace attn::tool;
using testing::HasSubstr;

namespace {

/// Fails, or breaks, as asked.
struct MisbehavingPass : PassWrapper<MisbehavingPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MisbehavingPass)
  enum class Way { Decline, FailSilently, BreakIr, Crash };
  explicit MisbehavingPass(Way way) : way(way) {}
  StringRef getArgument() const override { return "misbehaving"; }

  void runOnOperation() override {
    auto function = *getOperation().getOps<func::FuncOp>().begin();
    switch (way) {
    case Way::Decline:
      function.emitError("is not for us");
      return signalPassFailure();
    case Way::FailSilently:
      return signalPassFailure();
    case Way::BreakIr:
      function.getBody().front().getTerminator()->erase();
      return;
    case Way::Crash:
      std::abort();
    }
  }

  Way way;
};

class InternalErrors : public testing::Test {
protected:
  InternalErrors() {
    DialectRegistry registry;
    attn::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.disableMultithreading();
    context.getDiagEngine().registerHandler([](Diagnostic &) {});
    module =
        parseSourceString<ModuleOp>("func.func @model() { return }", &context);
  }

  llvm::Error run(MisbehavingPass::Way way) {
    PassManager manager(&context);
    manager.addPass(std::make_unique<MisbehavingPass>(way));
    return runPasses(manager, *module, "declined");
  }

  /// The text of the file that an internal error names.
  std::string reproducerOf(llvm::Error error, StringRef reason) {
    EXPECT_TRUE(error.isA<InternalError>());
    std::string message = toString(std::move(error));
    EXPECT_THAT(message, HasSubstr(reason.str()));
    StringRef path = StringRef(message)
                         .split("please report it with ")
                         .second.split(',')
                         .first;
    auto file = llvm::MemoryBuffer::getFile(path);
    if (!file)
      return "no file: " + message;
    llvm::sys::fs::remove(path);
    return (*file)->getBuffer().str();
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(InternalErrors, DeclinedModelsAreNone) {
  llvm::Error error = run(MisbehavingPass::Way::Decline);
  EXPECT_FALSE(error.isA<InternalError>());
  EXPECT_EQ(toString(std::move(error)), "declined");
}

TEST_F(InternalErrors, SilentFailure) {
  std::string text = reproducerOf(run(MisbehavingPass::Way::FailSilently),
                                  "misbehaving failed without a reason");
  EXPECT_THAT(text, HasSubstr("func.func @model"));
  EXPECT_THAT(text, HasSubstr("mlir_reproducer"));
  EXPECT_THAT(text, HasSubstr("misbehaving"));
}

TEST_F(InternalErrors, InvalidIrShowsTheIrBefore) {
  std::string text = reproducerOf(run(MisbehavingPass::Way::BreakIr),
                                  "invalid IR after misbehaving");
  EXPECT_TRUE(parseSourceString<ModuleOp>(text, &context));
}

TEST_F(InternalErrors, CrashesAreCaught) {
#if __has_feature(address_sanitizer)
  // What a pass holds when it crashes is never freed, by design.
  __lsan::ScopedDisabler noLeakCheck;
#endif
  std::string text =
      reproducerOf(run(MisbehavingPass::Way::Crash), "a pass crashed");
  EXPECT_TRUE(parseSourceString<ModuleOp>(text, &context));
}

TEST_F(InternalErrors, StepsBehindThePasses) {
  llvm::Error none =
      runInternalStep(*module, [] { return llvm::Error::success(); });
  EXPECT_FALSE(static_cast<bool>(none));
  std::string text = reproducerOf(
      runInternalStep(*module,
                      [] { return llvm::createStringError("malformed"); }),
      "internal error: malformed");
  EXPECT_THAT(text, HasSubstr("func.func @model"));
}

} // namespace
