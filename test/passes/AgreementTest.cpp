// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the lit tests of the fusing passes show is also the same function: each
// is evaluated before and after the pipeline.

#include "test/passes/Evaluation.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace attn::test;

namespace {

class Agreement : public testing::TestWithParam<const char *> {};

TEST_P(Agreement, FusionKeepsValues) {
  std::string path = std::string(ATTNC_TEST_PASSES) + "/" + GetParam();
  auto buffer = llvm::MemoryBuffer::getFile(path);
  ASSERT_TRUE(static_cast<bool>(buffer)) << path;
  DialectRegistry registry;
  attn::registerAllDialects(registry);
  MLIRContext context(registry);

  unsigned functions = 0;
  SmallVector<StringRef> parts;
  (*buffer)->getBuffer().split(parts, "// -----\n");
  for (StringRef part : parts) {
    auto module = parseSourceString<ModuleOp>(part, &context);
    ASSERT_TRUE(module);
    SmallVector<SmallVector<attn::reference::Array>> before;
    for (auto function : module->getOps<func::FuncOp>())
      before.push_back(evaluate(function));
    PassManager manager(&context);
    attn::buildFusionPipeline(manager);
    ASSERT_TRUE(succeeded(manager.run(*module)));
    for (auto [function, expected] :
         llvm::zip_equal(module->getOps<func::FuncOp>(), before)) {
      SCOPED_TRACE(function.getName().str());
      expectAgreement(expected, evaluate(function));
      ++functions;
    }
  }
  EXPECT_GT(functions, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Passes, Agreement,
    testing::Values("fuse-epilogue.mlir", "fuse-maps.mlir",
                    "fuse-projections.mlir", "fuse-prologue.mlir",
                    "hoist-from-scans.mlir", "hoist-row-copies.mlir",
                    "raise-attention.mlir", "raise-attention-forms.mlir"));

} // namespace
