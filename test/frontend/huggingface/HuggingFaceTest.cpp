// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Model directories: config.json, labels, the choice of a description.

#include "test/frontend/weights/TestFiles.h"

#include "frontend/huggingface/ModelDirectory.h"

using namespace attn::hf;
using namespace attn::test;
using namespace llvm;

namespace {

std::string refusal(StringRef text) {
  return errorOf(parseConfig(text, "config.json"));
}

TEST(Config, ReadsModelTypeArchitectureAndLabels) {
  Config config = valueOf(parseConfig(R"({
    "architectures": ["ViTForImageClassification"],
    "model_type": "vit",
    "hidden_size": 64,
    "layer_norm_eps": 1e-12,
    "id2label": {"1": "dog", "0": "cat", "2": "crow"}
  })",
                                      "config.json"));
  EXPECT_EQ(config.modelType, "vit");
  EXPECT_EQ(config.architecture(), "ViTForImageClassification");
  EXPECT_EQ(config.labels, (std::vector<std::string>{"cat", "dog", "crow"}));
  EXPECT_EQ(config.values.getInteger("num_labels"), 3);
  EXPECT_EQ(config.values.getInteger("hidden_size"), 64);
  EXPECT_EQ(toString(config.errorAt("hidden_size", "is odd")),
            "config.json:4:5: is odd");
  EXPECT_EQ(toString(config.errorAt("num_heads", "is missing")),
            "config.json: is missing");
}

TEST(Config, NeedsNoneOfThem) {
  Config config = valueOf(parseConfig(
      R"({"architectures":null,"model_type":null,"id2label":null})", "c"));
  EXPECT_EQ(config.modelType, "");
  EXPECT_EQ(config.architecture(), "");
  EXPECT_EQ(config.values.get("num_labels"), nullptr);
}

TEST(Config, RefusesWhatIsNoJson) {
  EXPECT_EQ(refusal(""), "config.json:1:0: JSON: Unexpected EOF");
  EXPECT_EQ(refusal("{\n  \"a\": 1,\n  \"b\": oops\n}"),
            "config.json:3:8: JSON: Invalid JSON value");
  EXPECT_EQ(refusal("[1]"), "config.json: expects a JSON object");
  EXPECT_EQ(refusal("{\n \"a\": 1,\n \"a\": 2}"),
            "config.json:3:2: key 'a' appears twice");
  EXPECT_EQ(refusal(std::string(100000, '[')),
            "config.json:1:65: expects at most 64 levels of nesting");
}

TEST(Config, RefusesKeysOfTheWrongKind) {
  EXPECT_EQ(refusal(R"({"model_type": 3})"),
            "config.json:1:2: expects 'model_type' to be text");
  EXPECT_EQ(refusal(R"({"architectures": "ViT"})"),
            "config.json:1:2: expects 'architectures' to be a list of names");
  EXPECT_EQ(refusal(R"({"architectures": [1]})"),
            "config.json:1:2: expects 'architectures' to be a list of names");
  EXPECT_EQ(refusal(R"({"id2label": ["cat"]})"),
            "config.json:1:2: expects 'id2label' to map numbers to names");
  EXPECT_EQ(refusal(R"({"id2label": {"0": "cat", "2": "dog"}})"),
            "config.json:1:2: expects 'id2label' to number its 2 labels from 0 "
            "to 1, but got '2'");
  EXPECT_EQ(refusal(R"({"id2label": {"0": 1}})"),
            "config.json:1:2: expects label 0 of 'id2label' to be text");
  EXPECT_EQ(refusal(R"({"id2label": {"0": "cat"}, "num_labels": 2})"),
            "config.json:1:28: expects 'num_labels' to be 1, the number of "
            "labels in 'id2label'");
}

TEST(ChooseDescription, FindsTheModelType) {
  Config config = valueOf(parseConfig(R"({"model_type":"vit"})", "c"));
  EXPECT_EQ(valueOf(chooseDescription(config, {"bert", "vit"})), "vit");
}

TEST(ChooseDescription, ListsWhatThereIs) {
  Config config = valueOf(parseConfig("{\n\"model_type\":\"mamba\"}", "c"));
  EXPECT_EQ(errorOf(chooseDescription(config, {"vit", "bert"})),
            "c:2:1: expects 'model_type' to be one of bert, vit, but got "
            "'mamba'; for another model give a description of its own");
  EXPECT_EQ(
      errorOf(chooseDescription(valueOf(parseConfig("{}", "c")), {"vit"})),
      "c: expects a 'model_type' (one of vit); for another model give a "
      "description of its own");
}

class ModelDirectoryTest : public FolderTest {};

TEST_F(ModelDirectoryTest, ReadsConfigAndPreprocessor) {
  put("config.json", R"({"model_type":"vit"})");
  ModelDirectory model = valueOf(openModelDirectory(folder));
  EXPECT_EQ(model.config.modelType, "vit");
  EXPECT_FALSE(model.preprocessor.has_value());
  put("preprocessor_config.json", "{}");
  EXPECT_EQ(valueOf(openModelDirectory(folder)).preprocessor, "{}");
  std::string other = put("other.json", R"({"model_type":"bert"})");
  EXPECT_EQ(valueOf(openModelDirectory(folder, other)).config.modelType,
            "bert");
}

TEST_F(ModelDirectoryTest, SaysWhatIsMissing) {
  EXPECT_EQ(errorOf(openModelDirectory(at("none"))),
            at("none") + ": expects a model directory with config.json and "
                         "model.safetensors");
  EXPECT_EQ(errorOf(openModelDirectory(folder)),
            at("config.json") + ": cannot open: No such file or directory");
}

TEST_F(ModelDirectoryTest, RefusesHugeConfigs) {
  put("config.json", std::string((16 << 20) + 1, ' '));
  EXPECT_EQ(errorOf(openModelDirectory(folder)),
            at("config.json") +
                ": expects at most 16777216 bytes of JSON, but got 16777217");
}

} // namespace
