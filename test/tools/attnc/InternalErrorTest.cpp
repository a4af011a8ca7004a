// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Defects are told from models that are declined, and leave a reproducer.

#include "tools/attnc/engine/InternalError.h"

#include "codegen/cpu/Passes.h"
#include "codegen/cpu/model/ModelFunction.h"
#include "dialect/AttnOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/Pipelines.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
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
    switch (way) {
    case Way::Decline:
      getOperation().emitError("is not for us");
      return signalPassFailure();
    case Way::FailSilently:
      return signalPassFailure();
    case Way::BreakIr:
      (*getOperation().getOps<func::FuncOp>().begin())
          .getBody()
          .front()
          .getTerminator()
          ->erase();
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
    attn::cpu::registerCpuDialects(registry);
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

  /// The text of the file that an internal error names; `message` gets the
  /// error's.
  std::string reproducerOf(llvm::Error error, StringRef reason,
                           std::string *message = nullptr) {
    EXPECT_TRUE(error.isA<InternalError>());
    std::string text = toString(std::move(error));
    EXPECT_THAT(text, HasSubstr(reason.str()));
    if (message)
      *message = text;
    std::string path = pathIn(text);
    auto file = llvm::MemoryBuffer::getFile(path);
    if (!file)
      return "no file: " + text;
    llvm::sys::fs::remove(path);
    return (*file)->getBuffer().str();
  }

  static std::string pathIn(StringRef message) {
    return message.split("please report it with ")
        .second.split(',')
        .first.str();
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

/// Runs what the message says, on a file of this text; gives its exit code.
int replay(StringRef message, StringRef text) {
  EXPECT_TRUE(message.contains("fails again with: attn-opt --run-reproducer "));
  llvm::SmallString<128> path;
  EXPECT_FALSE(
      llvm::sys::fs::createTemporaryFile("attnc-replay", "mlir", path));
  std::error_code error;
  llvm::raw_fd_ostream(path, error) << text;
  EXPECT_FALSE(error);
  StringRef words[] = {ATTN_OPT, "--run-reproducer", path, "-o", "/dev/null"};
  std::optional<StringRef> quiet[] = {std::nullopt, std::nullopt, ""};
  int code = llvm::sys::ExecuteAndWait(ATTN_OPT, words, std::nullopt, quiet);
  llvm::sys::fs::remove(path);
  return code;
}

// The tool's own pipelines, with their options, arrive in attn-opt; only what
// fails is missing there.
TEST_F(InternalErrors, ReproducersReplay) {
  module = parseSourceString<ModuleOp>(R"(
    func.func @model(%x: tensor<?x8xf32>
          {attn.name = "x", attn.dims = ["batch", ""]})
        -> (tensor<?x8xf32> {attn.name = "y", attn.dims = ["batch", ""]}) {
      %y = attn.softmax %x axis 1 : tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    })",
                                       &context);
  ASSERT_TRUE(module);
  PassManager manager(&context);
  attn::buildFusionPipeline(manager);
  attn::buildOutlinePipeline(manager);
  attn::buildPlanPipeline(manager);
  const attn::TargetSpec &target =
      *llvm::cantFail(attn::findTarget("x86-64-avx2"));
  manager.addPass(attn::cpu::createScheduleKernelsPass(target));
  manager.addPass(attn::cpu::createLowerTilesPass(target));
  manager.addPass(attn::cpu::createLowerModelPass(target));
  manager.addPass(
      std::make_unique<MisbehavingPass>(MisbehavingPass::Way::FailSilently));
  std::string message;
  std::string text = reproducerOf(runPasses(manager, *module, "declined"),
                                  "misbehaving failed", &message);
  EXPECT_NE(replay(message, text), 0);
  size_t last = text.find(",misbehaving");
  ASSERT_NE(last, std::string::npos) << text;
  text.erase(last, StringRef(",misbehaving").size());
  EXPECT_THAT(text, HasSubstr("target=x86-64-avx2"));
  EXPECT_EQ(replay(message, text), 0);
}

// The same in this process, which has the pass that fails.
TEST_F(InternalErrors, ReplayingFailsInTheSameWay) {
  registerPass([]() -> std::unique_ptr<Pass> {
    return std::make_unique<MisbehavingPass>(
        MisbehavingPass::Way::FailSilently);
  });
  std::string text = reproducerOf(run(MisbehavingPass::Way::FailSilently),
                                  "misbehaving failed without a reason");
  PassReproducerOptions options;
  ParserConfig config(&context);
  options.attachResourceParser(config);
  auto again = parseSourceString<ModuleOp>(text, config);
  ASSERT_TRUE(again);
  PassManager manager(&context);
  ASSERT_TRUE(succeeded(options.apply(manager)));
  EXPECT_TRUE(failed(manager.run(*again)));
}

} // namespace
