// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every description of the zoo and of examples/ builds from a real config.

#include "test/frontend/language/Describe.h"

#include "llvm/Support/MemoryBuffer.h"

#include <set>

using namespace attn;
using namespace attn::lang;
using testing::HasSubstr;

static std::string read(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) {
    ADD_FAILURE() << path << ": " << buffer.getError().message();
    return "{}";
  }
  return (*buffer)->getBuffer().str();
}

static std::string config(const std::string &name) {
  return read(std::string(ATTNC_GOLDEN_MODELS) + "/" + name + "/config.json");
}

namespace {
struct Case {
  const char *description, *config;
};
} // namespace

TEST(Zoo, EveryModelBuilds) {
  std::set<std::string> seen;
  for (const Case &c :
       {Case{"albert", "albert"},
        Case{"bart", "bart"},
        Case{"beit", "beit"},
        Case{"bert", "bert"},
        Case{"bloom", "bloom"},
        Case{"camembert", "roberta"},
        Case{"clip", "clip"},
        Case{"clip_text_model", "heads/CLIPTextModelWithProjection"},
        Case{"clip_vision_model", "heads/CLIPVisionModelWithProjection"},
        Case{"cohere", "cohere"},
        Case{"deberta-v2", "deberta-v2"},
        Case{"deit", "deit"},
        Case{"detr", "detr"},
        Case{"dinov2", "dinov2"},
        Case{"distilbert", "distilbert"},
        Case{"electra", "electra"},
        Case{"falcon", "falcon"},
        Case{"gemma", "gemma"},
        Case{"gemma2", "gemma2"},
        Case{"gemma3_text", "gemma3"},
        Case{"gpt2", "gpt2"},
        Case{"gpt_bigcode", "gpt-bigcode"},
        Case{"gpt_neo", "gpt-neo"},
        Case{"gpt_neox", "gpt-neox"},
        Case{"gptj", "gptj"},
        Case{"granite", "granite"},
        Case{"llama", "llama"},
        Case{"m2m_100", "m2m-100"},
        Case{"marian", "marian"},
        Case{"mbart", "mbart"},
        Case{"mistral", "mistral"},
        Case{"modernbert", "modernbert"},
        Case{"mpnet", "mpnet"},
        Case{"mt5", "t5"},
        Case{"olmo2", "olmo2"},
        Case{"opt", "opt"},
        Case{"pegasus", "pegasus"},
        Case{"phi", "phi"},
        Case{"phi3", "phi3"},
        Case{"qwen2", "qwen2"},
        Case{"qwen3", "qwen3"},
        Case{"roberta", "roberta"},
        Case{"siglip", "siglip"},
        Case{"siglip_text_model", "heads/SiglipTextModel"},
        Case{"siglip_vision_model", "heads/SiglipVisionModel"},
        Case{"stablelm", "stablelm"},
        Case{"starcoder2", "starcoder2"},
        Case{"swin", "swin"},
        Case{"t5", "t5"},
        Case{"torch.nn", "torch.nn/transformer"},
        Case{"vit", "vit"},
        Case{"whisper", "whisper"},
        Case{"xlm-roberta", "roberta"}}) {
    std::optional<Source> source = zoo::forModelType(c.description);
    ASSERT_TRUE(source) << c.description;
    seen.insert(source->name);
    auto models = listModels(*source, zoo::importDescription);
    ASSERT_TRUE(bool(models)) << llvm::toString(models.takeError());
    for (const ModelSummary &model : *models) {
      BuildOptions options;
      options.model = model.name;
      Described all = describe(*source, config(c.config), options);
      EXPECT_THAT(all.ir, HasSubstr("func.func @" + model.name)) << all.errors;
      options.absent = model.optionalInputs;
      bool pairs = model.name == "CLIPModel" || model.name == "SiglipModel";
      options.dims[pairs ? "texts" : "batch"] = 3;
      Described fixed = describe(*source, config(c.config), options);
      EXPECT_THAT(fixed.ir, HasSubstr("tensor<3x")) << fixed.errors;
    }
  }
  // A new description has to join the list above.
  EXPECT_EQ(seen.size(), zoo::descriptions().size());
}

TEST(Zoo, ModelTypes) {
  EXPECT_THAT(
      zoo::modelTypes(),
      testing::ElementsAre(
          "albert", "bart", "beit", "bert", "bloom", "camembert", "clip",
          "clip_text_model", "clip_vision_model", "cohere", "deberta-v2",
          "deit", "detr", "dinov2", "distilbert", "electra", "falcon", "gemma",
          "gemma2", "gemma3_text", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox",
          "gptj", "granite", "llama", "m2m_100", "marian", "mbart", "mistral",
          "modernbert", "mpnet", "mt5", "olmo2", "opt", "pegasus", "phi",
          "phi3", "qwen2", "qwen3", "roberta", "siglip", "siglip_text_model",
          "siglip_vision_model", "stablelm", "starcoder2", "swin", "t5",
          "torch.nn", "vit", "whisper", "xlm-roberta"));
  EXPECT_FALSE(zoo::forModelType("resnet"));
  // What others import is no model.
  for (const zoo::Entry &part : zoo::parts())
    EXPECT_FALSE(zoo::forModelType(part.name)) << part.name.str();
}

TEST(Zoo, ExamplesBuild) {
  for (const char *name : {"d2l-seq2seq", "series-classifier", "timm-vit",
                           "vit-pytorch-vit", "vit-pytorch-simple-vit"}) {
    Source source{std::string(name) + ".attn",
                  read(std::string(ATTNC_EXAMPLES) + "/" + name + ".attn")};
    Described d = describe(source, config(name));
    EXPECT_THAT(d.ir, HasSubstr("attn.attention")) << d.errors;
  }
}

TEST(Zoo, RegressionBuildsWithoutConfig) {
  std::string path = std::string(ATTNC_EXAMPLES) + "/nadaraya-watson.attn";
  for (const char *name : {"KernelRegression", "NWKernelRegression"}) {
    BuildOptions options;
    options.model = name;
    Described d = describe({"nadaraya-watson.attn", read(path)}, "{}", options);
    EXPECT_THAT(d.ir, HasSubstr("attn.weight \"w\" : tensor<1xf32>"))
        << d.errors;
  }
}

TEST(Zoo, UnsupportedConfigIsRefused) {
  std::optional<Source> bert = zoo::forModelType("bert");
  BuildOptions options;
  options.model = "BertModel";
  auto errors = [&](llvm::StringRef key, llvm::json::Value value) {
    llvm::json::Value json = *llvm::json::parse(config("bert"));
    (*json.getAsObject())[key] = std::move(value);
    std::string text;
    llvm::raw_string_ostream(text) << json;
    return describe(*bert, text, options).errors;
  };
  EXPECT_THAT(errors("position_embedding_type", "relative_key"),
              HasSubstr("position_embedding_type \"relative_key\" is not "
                        "supported, only \"absolute\""));
  EXPECT_THAT(errors("is_decoder", true),
              HasSubstr("is_decoder: true is not supported"));
  EXPECT_THAT(errors("hidden_act", "mish"),
              HasSubstr("unknown activation \"mish\""));
  EXPECT_THAT(errors("num_attention_heads", 5),
              HasSubstr("hidden_size must be a multiple of "
                        "num_attention_heads"));
}

TEST(Zoo, SizesOfPictures) {
  std::optional<Source> vit = zoo::forModelType("vit");
  auto with = [&](std::pair<const char *, int64_t> dim) {
    BuildOptions options;
    options.model = "ViTForImageClassification";
    options.dims[dim.first] = dim.second;
    return describe(*vit, config("vit"), options);
  };
  EXPECT_THAT(with({"height", 64}).ir, HasSubstr("x3x64x32xf32>"));
  EXPECT_THAT(with({"width", 30}).ir, HasSubstr("x3x32x30xf32>"));
  EXPECT_THAT(with({"width", 7}).errors,
              HasSubstr("height and width, 32 and 7, must be at least "
                        "patch_size, 8"));
  // A size of the checkpoint is none of an input.
  EXPECT_THAT(with({"hidden_size", 32}).errors,
              HasSubstr("has no dimension 'hidden_size'; it has batch, height, "
                        "num_channels, width"));
}

TEST(Zoo, PositionsAreLearnedOnASquare) {
  BuildOptions options;
  options.model = "ViTForImageClassification";
  auto with = [&](llvm::json::Value size) {
    llvm::json::Value json = *llvm::json::parse(config("vit"));
    (*json.getAsObject())["image_size"] = std::move(size);
    std::string text;
    llvm::raw_string_ostream(text) << json;
    return describe(*zoo::forModelType("vit"), text, options);
  };
  EXPECT_THAT(with(llvm::json::Array{32, 32}).ir, HasSubstr("x3x32x32xf32>"));
  EXPECT_THAT(with(llvm::json::Array{32, 16}).errors,
              HasSubstr("positions are learned on a square"));
  EXPECT_THAT(with("32").errors, HasSubstr("expects 'image_size' to be"));
}
