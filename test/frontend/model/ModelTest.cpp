// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Models as users name them: directories, descriptions with files of their own.

#include "frontend/model/Model.h"

#include "dialect/AttnDialect.h"
#include "mlir/IR/Verifier.h"
#include "test/frontend/weights/TestFiles.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace attn::frontend;
using namespace attn::test;
using namespace llvm;

namespace {

class ModelTest : public FolderTest {
protected:
  ModelTest() {
    mlir::DialectRegistry registry;
    attn::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }
  Expected<Model> open(const ModelOptions &options) {
    return openModel(&context, options);
  }
  static ModelOptions named(std::string path) {
    ModelOptions options;
    options.path = std::move(path);
    return options;
  }
  static std::string golden(StringRef name) {
    return ATTNC_GOLDEN_MODELS "/" + name.str();
  }

  mlir::MLIRContext context;
};

// Each golden directory binds all of its weights.
TEST_F(ModelTest, OpensEveryGoldenDirectory) {
  for (StringRef name :
       {"vit", "vit-model", "vit-digits", "deit", "bert", "bert-classifier",
        "minilm-sentence", "distilbert", "roberta"}) {
    auto model = open(named(golden(name)));
    ASSERT_TRUE(static_cast<bool>(model)) << toString(model.takeError());
    EXPECT_TRUE(succeeded(mlir::verify(*model->module))) << name.str();
    EXPECT_FALSE(expectedWeights(*model->module).empty()) << name.str();
    EXPECT_EQ(model->preprocessor.has_value(), name == "vit-digits");
  }
}

// So does each description in examples/, with the files of its golden case.
TEST_F(ModelTest, OpensTheExamplesDescriptions) {
  for (StringRef name :
       {"timm-vit", "vit-pytorch-vit", "vit-pytorch-simple-vit"}) {
    ModelOptions options = named(ATTNC_DESCRIPTIONS "/" + name.str() + ".attn");
    options.config = golden(name) + "/config.json";
    options.weights = golden(name) + "/model.safetensors";
    auto model = open(options);
    ASSERT_TRUE(static_cast<bool>(model)) << toString(model.takeError());
    EXPECT_FALSE(expectedWeights(*model->module).empty()) << name.str();
  }
}

TEST_F(ModelTest, ReportsWeightsThatDoNotFit) {
  put("config.json",
      R"({"model_type":"vit","architectures":["ViTModel"],"image_size":4,)"
      R"("patch_size":2,"num_channels":1,"hidden_size":2,)"
      R"("num_hidden_layers":0,"num_attention_heads":1,)"
      R"("intermediate_size":2})");
  put("model.safetensors", oneTensor("layernorm.weight"));
  std::string text = errorOf(open(named(folder)));
  EXPECT_TRUE(StringRef(text).starts_with(at("model.safetensors") + ": "));
  EXPECT_TRUE(StringRef(text).contains(
      "\n  tensor 'embeddings.cls_token': expects [1, 1, 2], but it is "
      "missing"));
  EXPECT_FALSE(StringRef(text).contains("'layernorm.weight'"));
}

TEST_F(ModelTest, NamesTheClassesOfADescription) {
  put("config.json",
      "{\"model_type\":\"vit\",\n\"architectures\":[\"ViTForPoetry\"]}");
  put("model.safetensors", oneTensor("a"));
  std::string text = errorOf(open(named(folder)));
  EXPECT_TRUE(StringRef(text).starts_with(
      at("config.json") + ":2:1: expects a class that vit.attn describes ("));
  EXPECT_TRUE(StringRef(text).ends_with("), but got 'ViTForPoetry'"));
}

TEST_F(ModelTest, ListsModelTypes) {
  put("config.json", R"({"model_type":"mamba"})");
  put("model.safetensors", oneTensor("a"));
  EXPECT_TRUE(StringRef(errorOf(open(named(folder))))
                  .contains("one of albert, bart, "));
}

TEST_F(ModelTest, OpensADescriptionWithFilesOfItsOwn) {
  ModelOptions options;
  options.path = put("scale.attn", "config { width }\n"
                                   "model scale(x: f32[batch, width]) -> "
                                   "(y: f32[batch, width]) {\n"
                                   "  return x * weight(\"s\", [width])\n"
                                   "}\n");
  options.config = put("config.json", R"({"width":2})");
  EXPECT_EQ(errorOf(open(options)),
            options.path + ": reads 1 weights, but none are given");
  options.needsWeights = false;
  Model bare = valueOf(open(options));
  EXPECT_FALSE(bare.weights.has_value());
  EXPECT_EQ(bare.name, "scale");
  options.needsWeights = true;
  options.weights = put("s.safetensors", oneTensor("s"));
  Model model = valueOf(open(options));
  auto weights = expectedWeights(*model.module);
  ASSERT_EQ(weights.size(), 1u);
  EXPECT_EQ(weights[0].name, "s");
  EXPECT_EQ(ArrayRef<int64_t>(weights[0].shape), ArrayRef<int64_t>{2});
}

// What options name stands in for what a directory brings.
TEST_F(ModelTest, ReplacesTheFilesOfADirectory) {
  ModelOptions options = named(folder + "/");
  options.config = golden("vit") + "/config.json";
  options.needsWeights = false;
  Model bare = valueOf(open(options));
  EXPECT_FALSE(bare.weights.has_value());
  EXPECT_EQ(bare.name, sys::path::filename(folder));
  options.weights = golden("vit") + "/model.safetensors";
  EXPECT_TRUE(valueOf(open(options)).weights.has_value());
  // Without it, those of the directory are read, whether needed or not.
  options.weights = "";
  put("model.safetensors", oneTensor("a"));
  EXPECT_TRUE(StringRef(errorOf(open(options)))
                  .contains("tensor 'a': is [2], but nothing"));
}

std::vector<std::string> inputsOf(Model &model) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < model.function().getNumArguments(); ++i)
    names.push_back(model.function()
                        .getArgAttrOfType<mlir::StringAttr>(i, attn::kNameAttr)
                        .str());
  return names;
}

TEST_F(ModelTest, LeavesOutOptionalInputs) {
  ModelOptions options = named(golden("bert"));
  Model all = valueOf(open(options));
  EXPECT_EQ(inputsOf(all),
            (std::vector<std::string>{"input_ids", "attention_mask",
                                      "token_type_ids"}));
  options.absent = {"token_type_ids"};
  Model two = valueOf(open(options));
  EXPECT_EQ(inputsOf(two),
            (std::vector<std::string>{"input_ids", "attention_mask"}));
  options.present = {"input_ids"};
  Model one = valueOf(open(options));
  EXPECT_EQ(inputsOf(one), (std::vector<std::string>{"input_ids"}));
}

TEST_F(ModelTest, FindsImportsBesideTheDescription) {
  put("twice.attn", "block twice(x) { return x + x }\n");
  ModelOptions options =
      named(put("main.attn", "import \"twice.attn\"\n"
                             "model main(x: f32[batch]) -> (y: f32[batch]) {\n"
                             "  return twice(x)\n"
                             "}\n"));
  EXPECT_TRUE(succeeded(mlir::verify(*valueOf(open(options)).module)));
  sys::fs::remove(at("twice.attn"));
  EXPECT_TRUE(StringRef(errorOf(open(options))).contains("twice.attn"));
  std::string outside = put("outside.attn", "import \"../twice.attn\"\n");
  EXPECT_TRUE(StringRef(errorOf(open(named(outside))))
                  .contains("'../twice.attn' is not a file name"));
}

TEST_F(ModelTest, OpensIr) {
  ModelOptions options = named(put("scale.mlir", R"(
    func.func @model(%x: tensor<2xf32> {attn.name = "x"})
        -> (tensor<2xf32> {attn.name = "y"}) {
      %w = attn.weight "s" : tensor<2xf32>
      return %w : tensor<2xf32>
    })"));
  EXPECT_EQ(errorOf(open(options)),
            options.path + ": reads 1 weights, but none are given");
  options.weights = put("s.safetensors", oneTensor("s"));
  Model model = valueOf(open(options));
  EXPECT_EQ(model.name, "scale");
  EXPECT_EQ(model.function().getName(), "model");
  options.dims["batch"] = 2;
  EXPECT_TRUE(StringRef(errorOf(open(options)))
                  .starts_with(options.path + ": is IR, which has its own"));
}

TEST_F(ModelTest, RefusesWhatIsNoModel) {
  EXPECT_EQ(errorOf(open(named(at("x.bin")))),
            at("x.bin") + ": cannot open: No such file or directory");
  EXPECT_EQ(errorOf(open(named(put("x.bin", "")))),
            at("x.bin") +
                ": expects a model directory, a .attn description or .mlir IR");
  EXPECT_EQ(errorOf(open(named(at("x.attn")))),
            at("x.attn") + ": cannot open: No such file or directory");
  std::string broken = put("broken.attn", "model (");
  EXPECT_TRUE(
      StringRef(errorOf(open(named(broken)))).starts_with(broken + ":1:"));
  put("config.json", R"({"model_type":"vit"})");
  EXPECT_EQ(errorOf(open(named(folder))),
            folder + ": expects model.safetensors or "
                     "model.safetensors.index.json in it");
  context.getDiagEngine().registerHandler([](mlir::Diagnostic &) {});
  EXPECT_EQ(errorOf(open(named(put("broken.mlir", "func.func")))),
            at("broken.mlir") + ": is not valid attn IR");
  EXPECT_EQ(errorOf(open(named(put("none.mlir", "")))),
            at("none.mlir") + ": expects one function that is not a kernel");
}

} // namespace
