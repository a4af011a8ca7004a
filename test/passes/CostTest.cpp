// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What models cost: published figures, and the same before and after passes.

#include "passes/Cost.h"
#include "dialect/AttnOps.h"
#include "frontend/language/Language.h"
#include "frontend/zoo/Zoo.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "llvm/Support/JSON.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace attn;

namespace {

class CostTest : public testing::Test {
protected:
  CostTest() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  void build(StringRef type, StringRef model, StringRef config) {
    lang::BuildOptions options;
    options.config = *llvm::cantFail(llvm::json::parse(config)).getAsObject();
    options.model = model;
    options.import = zoo::importDescription;
    std::string diagnostics;
    module = lang::buildModel(&context, *zoo::forModelType(type), options,
                              diagnostics);
    ASSERT_TRUE(module) << diagnostics;
  }

  void run(void (*pipeline)(OpPassManager &)) {
    PassManager manager(&context);
    pipeline(manager);
    ASSERT_TRUE(succeeded(manager.run(*module)));
  }

  func::FuncOp model() { return *module->getOps<func::FuncOp>().begin(); }

  /// The model's FLOPs as text.
  std::string flops() {
    FailureOr<Cost> cost = costOf(model());
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model());
    if (failed(cost) || failed(shapes))
      return "failed";
    return cost->flops.str(shapes->symbols());
  }

  void expectSameAfterPasses() {
    std::string expected = flops();
    run(buildFusionPipeline);
    EXPECT_EQ(flops(), expected) << "after fusion";
    run(buildOutlinePipeline);
    EXPECT_EQ(flops(), expected) << "as launches in loops";
    run(buildPlanPipeline);
    EXPECT_EQ(flops(), expected) << "with planned memory";
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

constexpr const char *kVitBase16 =
    R"({"image_size": 224, "patch_size": 16, "num_channels": 3,
        "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "num_labels": 1000})";

TEST_F(CostTest, VitBase16HasItsPublishedFigures) {
  build("vit", "ViTForImageClassification", kVitBase16);
  int64_t parameters = 0;
  model().walk([&](WeightOp weight) {
    parameters += weight.getType().getNumElements();
  });
  EXPECT_EQ(parameters, 86'567'656);

  // Multiply-adds of the patches, of each layer's linears and attention, and
  // of the classifier; 197 rows are 14 x 14 patches and the class token.
  int64_t width = 768, rows = 197;
  int64_t layer = 12 * rows * width * width + 2 * rows * rows * width;
  int64_t products = 196 * width * width + 12 * layer + width * 1000;
  EXPECT_NEAR(products / 1e9, 17.56, 0.01);
  EXPECT_EQ(flops(), std::to_string(2 * products) + "*batch");
  FailureOr<Cost> cost = costOf(model());
  ASSERT_TRUE(succeeded(cost));
  EXPECT_EQ(evaluate(cost->flops, {4}), 8.0 * products);
}

TEST_F(CostTest, PassesDoNotChangeTheWorkOfVit) {
  build("vit", "ViTForImageClassification", kVitBase16);
  expectSameAfterPasses();
}

TEST_F(CostTest, PassesDoNotChangeTheWorkOfBert) {
  build("bert", "BertModel",
        R"({"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 3,
            "num_attention_heads": 2, "intermediate_size": 12,
            "max_position_embeddings": 10})");
  // Four projections of 8 x 8 and two of 8 x 12 for each row, scores and values
  // for each pair of rows; the pooler's product for each item.
  EXPECT_EQ(flops(), "96*batch*sequence*sequence + 2688*batch*sequence + "
                     "128*batch");
  expectSameAfterPasses();
}

TEST_F(CostTest, LaunchesOfOneKernelHaveTheirOwnSizes) {
  module = parseSourceString<ModuleOp>(R"(
    func.func @model(%x: tensor<?x4xf32> {attn.name = "x", attn.dims = ["a", ""]},
                     %y: tensor<?x4xf32> {attn.name = "y", attn.dims = ["b", ""]},
                     %w: tensor<8x4xf32> {attn.name = "w", attn.dims = ["", ""]})
        -> (tensor<?x8xf32> {attn.name = "u", attn.dims = ["a", ""]},
            tensor<?x8xf32> {attn.name = "v", attn.dims = ["b", ""]}) {
      %u = attn.launch @k(%x, %w)
        : (tensor<?x4xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
      %v = attn.launch @k(%y, %w)
        : (tensor<?x4xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
      return %u, %v : tensor<?x8xf32>, tensor<?x8xf32>
    }
    func.func private @k(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>)
        -> tensor<?x8xf32> attributes {attn.kernel} {
      %y = attn.linear %x weights(%w : tensor<8x4xf32>)
        : tensor<?x4xf32> -> tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    })",
                                       &context);
  ASSERT_TRUE(module);
  EXPECT_EQ(flops(), "64*b + 64*a");
}

// A table of any size is read where ids say so, before and after passes.
TEST_F(CostTest, EmbeddingsReadTheirRows) {
  module = parseSourceString<ModuleOp>(R"(
    func.func @model(%ids: tensor<?xi64> {attn.name = "ids", attn.dims = ["n"]})
        -> (tensor<?x4xf32> {attn.name = "y", attn.dims = ["n", ""]}) {
      %table = attn.weight "table" : tensor<1000x4xf32>
      %y = attn.embedding %ids, %table
        : tensor<?xi64>, tensor<1000x4xf32> -> tensor<?x4xf32>
      return %y : tensor<?x4xf32>
    })",
                                       &context);
  ASSERT_TRUE(module);
  auto bytes = [&] {
    FailureOr<Cost> cost = costOf(model());
    return succeeded(cost) ? cost->bytes.str({"n"}) : "failed";
  };
  EXPECT_EQ(bytes(), "40*n"); // an id, a row read and a row written
  run(buildOutlinePipeline);
  EXPECT_EQ(bytes(), "40*n");
}

// Layers, the final norm and head, each once, and of the embeddings their rows.
TEST_F(CostTest, LaunchesReadTheirWeights) {
  build("gpt2", "GPT2LMHeadModel",
        R"({"vocab_size": 20, "n_embd": 8, "n_layer": 3, "n_head": 2,
            "n_positions": 10})");
  run(buildFusionPipeline);
  run(buildOutlinePipeline);
  FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model());
  ASSERT_TRUE(succeeded(shapes));
  double bytes = 0;
  for (Operation &op : model().getBody().front()) {
    auto loop = dyn_cast<scf::ForOp>(op);
    Block &block = loop ? *loop.getBody() : model().getBody().front();
    for (LaunchOp launch : block.getOps<LaunchOp>())
      if (loop || launch == &op) {
        std::optional<DimExpr> read = weightBytesOf(launch, *shapes);
        ASSERT_TRUE(read);
        // One token of one sequence.
        bytes += (loop ? 3 : 1) * evaluate(*read, {1, 1});
      }
  }
  int64_t layer = 12 * 8 * 8 + 13 * 8, norm = 16, head = 20 * 8, rows = 2 * 8;
  EXPECT_EQ(bytes, 4.0 * (3 * layer + norm + head + rows));
}

// What a query decides alone, here its square, is no work of the pairs.
TEST_F(CostTest, ScoresOfVectorsCountForEachPair) {
  module = parseSourceString<ModuleOp>(R"(
    func.func @model(%q: tensor<1x2x?x8xf32> {attn.name = "q", attn.dims = ["", "", "m", ""]},
                     %k: tensor<1x2x?x8xf32> {attn.name = "k", attn.dims = ["", "", "n", ""]})
        -> (tensor<1x2x?x8xf32> {attn.name = "o", attn.dims = ["", "", "m", ""]}) {
      %o = attn.attention queries(%q : tensor<1x2x?x8xf32>)
          keys(%k : tensor<1x2x?x8xf32>) value(%k : tensor<1x2x?x8xf32>)
          score {
          ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index,
               %i: index, %j: index, %rows: index, %keys: index):
            %square = arith.mulf %qi, %qi : tensor<8xf32>
            %0 = arith.subf %square, %kj : tensor<8xf32>
            %1 = math.tanh %0 : tensor<8xf32>
            %2 = attn.sum %1 : tensor<8xf32>
            attn.yield %2 : f32
          } -> tensor<1x2x?x8xf32>
      return %o : tensor<1x2x?x8xf32>
    })",
                                       &context);
  ASSERT_TRUE(module);
  // Three for each of 8 elements, and a multiply-add for each of 8 values.
  EXPECT_EQ(flops(), std::to_string(2 * (3 * 8 + 2 * 8)) + "*m*n");
}

TEST_F(CostTest, BytesAreOperandsAndResults) {
  module = parseSourceString<ModuleOp>(R"(
    func.func @model(%x: tensor<?x4xf32> {attn.name = "x", attn.dims = ["a", ""]})
        -> (tensor<?x4xf32> {attn.name = "y", attn.dims = ["a", ""]}) {
      %y = attn.softmax %x axis 1 : tensor<?x4xf32>
      return %y : tensor<?x4xf32>
    })",
                                       &context);
  ASSERT_TRUE(module);
  FailureOr<Cost> cost = costOf(model());
  ASSERT_TRUE(succeeded(cost));
  EXPECT_EQ(evaluate(cost->bytes, {3}), 2 * 3 * 4 * 4);
  EXPECT_EQ(evaluate(cost->flops, {3}), 0);
}

} // namespace
