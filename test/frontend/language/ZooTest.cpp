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
       {Case{"vit", "vit"}, Case{"deit", "deit"}, Case{"bert", "bert"},
        Case{"distilbert", "distilbert"}, Case{"roberta", "roberta"}}) {
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
      options.dims["batch"] = 3;
      Described fixed = describe(*source, config(c.config), options);
      EXPECT_THAT(fixed.ir, HasSubstr("tensor<3x")) << fixed.errors;
    }
  }
  // A new description has to join the list above.
  EXPECT_EQ(seen.size(), zoo::descriptions().size());
}

TEST(Zoo, ModelTypes) {
  EXPECT_THAT(zoo::modelTypes(),
              testing::ElementsAre("bert", "deit", "distilbert", "roberta",
                                   "vit", "xlm-roberta"));
  EXPECT_EQ(zoo::forModelType("xlm-roberta")->name, "roberta.attn");
  EXPECT_FALSE(zoo::forModelType("resnet"));
}

TEST(Zoo, ExamplesBuild) {
  for (const char *name :
       {"timm-vit", "vit-pytorch-vit", "vit-pytorch-simple-vit"}) {
    Source source{std::string(name) + ".attn",
                  read(std::string(ATTNC_EXAMPLES) + "/" + name + ".attn")};
    Described d = describe(source, config(name));
    EXPECT_THAT(d.ir, HasSubstr("attn.attention")) << d.errors;
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
