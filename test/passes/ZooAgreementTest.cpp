// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The descriptions of the zoo, small: fusion leaves few operations for each
// layer and changes no value.

#include "frontend/language/Language.h"
#include "frontend/zoo/Zoo.h"
#include "test/passes/Evaluation.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace attn::test;

namespace {

struct Case {
  const char *type;
  const char *model;
  const char *config;
  /// Operations left: linears, and maps and norms that stand alone.
  unsigned linears, maps, norms;
};

constexpr const char *kTextConfig =
    R"({"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 12,
        "max_position_embeddings": 10})";
constexpr const char *kImageConfig =
    R"({"image_size": 8, "patch_size": 4, "num_channels": 3, "hidden_size": 8,
        "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 12})";

class ZooAgreement : public testing::TestWithParam<Case> {};

TEST_P(ZooAgreement, FusionKeepsValues) {
  DialectRegistry registry;
  attn::registerAllDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  attn::lang::BuildOptions options;
  llvm::Expected<llvm::json::Value> config =
      llvm::json::parse(GetParam().config);
  ASSERT_TRUE(static_cast<bool>(config));
  options.config = *config->getAsObject();
  options.model = GetParam().model;
  options.import = attn::zoo::importDescription;
  std::string diagnostics;
  auto module = attn::lang::buildModel(
      &context, *attn::zoo::forModelType(GetParam().type), options,
      diagnostics);
  ASSERT_TRUE(module) << diagnostics;

  auto model = *module->getOps<func::FuncOp>().begin();
  auto before = evaluate(model);
  PassManager manager(&context);
  attn::buildFusionPipeline(manager);
  ASSERT_TRUE(succeeded(manager.run(*module)));
  expectAgreement(before, evaluate(model));

  unsigned linears = 0, maps = 0, norms = 0;
  for (Operation &op : model.getBody().front()) {
    linears += isa<attn::LinearOp>(op);
    maps += isa<linalg::GenericOp>(op);
    norms += isa<attn::LayerNormOp>(op);
  }
  EXPECT_EQ(linears, GetParam().linears);
  EXPECT_EQ(maps, GetParam().maps);
  EXPECT_EQ(norms, GetParam().norms);
}

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  return info.param.model;
}

// A layer is four linears. In BERT each norm is read by a linear and a
// residual, so it stands alone; in ViT all become prologues, the last one, of
// the class token alone, that of the classifier.
INSTANTIATE_TEST_SUITE_P(Zoo, ZooAgreement,
                         testing::Values(Case{"bert", "BertModel", kTextConfig,
                                              2 * 4 + 1, 1, 2 * 2 + 1},
                                         Case{"vit",
                                              "ViTForImageClassification",
                                              kImageConfig, 2 * 4 + 2, 2, 0}),
                         nameOf);

} // namespace
