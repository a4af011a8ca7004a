// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Outlining, rolling and planning keep the values of random models: the
// reference evaluates them before and after, and a simulation of the planned
// buffers finds no value overwritten before its last use.

#include "dialect/AttnOps.h"
#include "mlir/Transforms/Passes.h"
#include "test/passes/Evaluation.h"
#include "test/passes/PlanSimulation.h"
#include "test/passes/RandomModel.h"
#include "test/passes/RandomScan.h"

using namespace mlir;
using namespace attn;
using namespace attn::test;

namespace {

func::FuncOp modelIn(ModuleOp module) {
  return module.lookupSymbol<func::FuncOp>("model");
}

class RandomModels : public testing::Test {
protected:
  RandomModels() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
  }
  MLIRContext context;
};

TEST_F(RandomModels, OutlineRollAndPlan) {
  unsigned loops = 0, inPlace = 0;
  for (unsigned seed = 0; seed < 300 && !HasFailure(); ++seed) {
    std::string text = RandomModel(seed).write();
    SCOPED_TRACE(text);
    auto module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    SmallVector<reference::Array> expected = evaluate(modelIn(*module));

    PassManager outline(&context);
    outline.addNestedPass<func::FuncOp>(createCSEPass());
    buildOutlinePipeline(outline);
    ASSERT_TRUE(succeeded(outline.run(*module)));
    modelIn(*module).walk([&](scf::ForOp) { ++loops; });
    expectAgreement(expected, evaluate(modelIn(*module)));

    PassManager plan(&context);
    buildPlanPipeline(plan);
    ASSERT_TRUE(succeeded(plan.run(*module)));
    expectAgreement(expected, evaluate(modelIn(*module)));
    PlanSimulation simulation(modelIn(*module), {2, 3});
    simulation.run();
    inPlace += simulation.inPlace;
  }
  // Rolling and writing in place are what this is about.
  EXPECT_GT(loops, 100u);
  EXPECT_GT(inPlace, 100u);
}

/// Scans with carried values that swap places, stay or come from outside, and
/// with outputs that are carried, too.
TEST_F(RandomModels, FuseOutlineAndPlanScans) {
  unsigned stacked = 0, inPlace = 0;
  for (unsigned seed = 0; seed < 300 && !HasFailure(); ++seed) {
    std::string text = RandomScan(seed).write();
    SCOPED_TRACE(text);
    auto module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    SmallVector<reference::Array> expected = evaluate(modelIn(*module));

    PassManager fuse(&context);
    if (seed % 2)
      buildFusionPipeline(fuse);
    buildOutlinePipeline(fuse);
    ASSERT_TRUE(succeeded(fuse.run(*module)));
    expectAgreement(expected, evaluate(modelIn(*module)));

    PassManager plan(&context);
    buildPlanPipeline(plan);
    ASSERT_TRUE(succeeded(plan.run(*module)));
    expectAgreement(expected, evaluate(modelIn(*module)));
    PlanSimulation simulation(modelIn(*module), {3, 2});
    simulation.run();
    stacked += simulation.stacked;
    inPlace += simulation.inPlace;
  }
  EXPECT_GT(stacked, 100u);
  EXPECT_GT(inPlace, 100u);
}

} // namespace
