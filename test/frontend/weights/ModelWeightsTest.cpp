// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights of a model directory: one file, shards, and the check against a
// model.

#include "TestFiles.h"

#include "frontend/weights/ModelWeights.h"
#include "frontend/weights/WeightCheck.h"
#include "frontend/weights/WeightNames.h"
#include "llvm/Support/JSON.h"

using namespace attn::weights;
using namespace attn::test;
using namespace llvm;

namespace {

class ModelWeights : public FolderTest {
protected:
  /// Writes an index that maps each name to its shard.
  std::string
  putIndex(ArrayRef<std::pair<std::string, std::string>> entries) const {
    json::Object map;
    for (const auto &[name, shard] : entries)
      map[name] = shard;
    std::string text;
    raw_string_ostream(text)
        << json::Value(json::Object{{"weight_map", std::move(map)}});
    return put("model.safetensors.index.json", text);
  }
  std::string index() const { return at("model.safetensors.index.json"); }
};

TEST_F(ModelWeights, OpensOneFile) {
  put("model.safetensors", oneTensor("a"));
  EXPECT_EQ(valueOf(openModelWeights(folder)).size(), 1u);
  EXPECT_EQ(valueOf(openWeights(folder)).size(), 1u);
  EXPECT_EQ(valueOf(openWeights(at("model.safetensors"))).size(), 1u);
}

TEST_F(ModelWeights, OpensShards) {
  put("one.safetensors", oneTensor("a"));
  put("more/two.safetensors", oneTensor("b"));
  putIndex({{"a", "one.safetensors"}, {"b", "more/two.safetensors"}});
  TensorTable table = valueOf(openModelWeights(folder));
  EXPECT_EQ(table.names(), (std::vector<StringRef>{"a", "b"}));
  EXPECT_EQ(table.fileOf("b"), at("more/two.safetensors"));
  EXPECT_EQ(table.files().size(), 2u);
  EXPECT_EQ(valueOf(openWeights(index())).size(), 2u);
}

TEST_F(ModelWeights, SaysWhatToDoWithOtherFormats) {
  EXPECT_EQ(errorOf(openModelWeights(folder)),
            folder + ": expects model.safetensors or "
                     "model.safetensors.index.json in it");
  put("pytorch_model.bin", "PK");
  EXPECT_EQ(errorOf(openModelWeights(folder)),
            folder +
                ": expects model.safetensors, but got pytorch_model.bin; "
                "convert it with transformers: AutoModel.from_pretrained(DIR)"
                ".save_pretrained(NEW_DIR), the class being the one that "
                "config.json names");
}

TEST_F(ModelWeights, RefusesWhatIsNoDirectory) {
  std::string file = put("file", "");
  EXPECT_EQ(errorOf(openModelWeights(file)),
            file + ": expects a model directory, but got a file");
  EXPECT_EQ(errorOf(openModelWeights(at("none"))),
            at("none") + ": expects a model directory, but there is none");
}

TEST_F(ModelWeights, RefusesShardsOutsideTheDirectory) {
  std::string outside = put("elsewhere/a.safetensors", oneTensor("a"));
  ASSERT_FALSE(sys::fs::create_directory(at("model")));
  ASSERT_FALSE(sys::fs::create_link(outside, at("model/link.safetensors")));
  for (std::string shard : {outside, std::string("../elsewhere/a.safetensors"),
                            std::string("x/../../elsewhere/a.safetensors"),
                            std::string("link.safetensors"), std::string(".."),
                            std::string("."), std::string("")}) {
    std::string text = "{\"weight_map\":{\"a\":\"" + shard + "\"}}";
    std::string path = put("model/model.safetensors.index.json", text);
    EXPECT_EQ(errorOf(openModelWeights(at("model"))),
              path + ": expects shards inside its own directory, but got '" +
                  shard + "'");
  }
}

TEST_F(ModelWeights, RefusesADirectoryWhoseNameBeginsAlike) {
  std::string outside = put("model-2/a.safetensors", oneTensor("a"));
  ASSERT_FALSE(sys::fs::create_directory(at("model")));
  ASSERT_FALSE(sys::fs::create_link(outside, at("model/a.safetensors")));
  put("model/model.safetensors.index.json",
      R"({"weight_map":{"a":"a.safetensors"}})");
  EXPECT_TRUE(StringRef(errorOf(openModelWeights(at("model"))))
                  .contains("expects shards inside its own directory"));
}

TEST_F(ModelWeights, OpensASnapshotOfTheHuggingFaceCache) {
  put("models--x/blobs/0123", oneTensor("a"));
  ASSERT_FALSE(sys::fs::create_directories(at("models--x/snapshots/rev")));
  ASSERT_FALSE(sys::fs::create_link(
      "../../blobs/0123", at("models--x/snapshots/rev/one.safetensors")));
  put("models--x/snapshots/rev/model.safetensors.index.json",
      R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_EQ(valueOf(openModelWeights(at("models--x/snapshots/rev"))).size(),
            1u);
}

TEST_F(ModelWeights, RefusesAShardThatIsMissing) {
  putIndex({{"a", "one.safetensors"}});
  EXPECT_EQ(errorOf(openModelWeights(folder)),
            index() + ": names shard 'one.safetensors', which cannot be "
                      "opened: No such file or directory");
}

TEST_F(ModelWeights, RefusesATensorThatItsShardDoesNotHold) {
  put("one.safetensors", oneTensor("a"));
  putIndex({{"b", "one.safetensors"}});
  EXPECT_EQ(errorOf(openModelWeights(folder)),
            index() + ": tensor 'b': expects it in " + at("one.safetensors") +
                ", which does not hold it");
}

TEST_F(ModelWeights, RefusesATensorInTwoShards) {
  put("one.safetensors", oneTensor("a"));
  put("two.safetensors",
      safetensors(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                  R"("b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                  ""));
  putIndex({{"a", "one.safetensors"}, {"b", "two.safetensors"}});
  EXPECT_EQ(errorOf(openModelWeights(folder)),
            at("two.safetensors") + ": tensor 'a': is also in " +
                at("one.safetensors") +
                ", but expects one shard for each tensor");
}

TEST_F(ModelWeights, RefusesDamagedIndices) {
  auto refusal = [&](StringRef text) {
    put("model.safetensors.index.json", text);
    std::string message = errorOf(openModelWeights(folder));
    EXPECT_TRUE(StringRef(message).starts_with(index()));
    return message.substr(index().size());
  };
  EXPECT_EQ(refusal("[]"), ": expects an object with a 'weight_map'");
  EXPECT_EQ(refusal(R"({"weight_map":[]})"),
            ": expects an object with a 'weight_map'");
  EXPECT_EQ(refusal(R"({"weight_map":{"a":1}})"),
            ": tensor 'a': expects the name of a shard");
  EXPECT_EQ(refusal("{\n\"weight_map\":{\"a\":\"x\",\n \"a\":\"y\"}}"),
            ":3:2: key 'a' appears twice in 'weight_map'");
  EXPECT_EQ(refusal(R"({"weight_map":{"a":"x\u0000/../y"}})"),
            ": expects shards inside its own directory, but got "
            "'x\\x00/../y'");
  EXPECT_EQ(refusal(std::string(100, '[')),
            ":1:65: expects at most 64 levels of nesting");
}

//===--- checkWeights -----------------------------------------------------===//

TensorTable tableOf(ArrayRef<std::pair<StringRef, SmallVector<int64_t, 4>>> w) {
  TensorTable table("m");
  for (const auto &[name, shape] : w)
    table.insert(
        name, Tensor::fromF32(shape, std::vector<float>(*elementCount(shape))));
  return table;
}

TEST(CheckWeights, AcceptsWhatFits) {
  TensorTable table = tableOf({{"a.weight", {2, 3}}, {"a.steps", {}}});
  EXPECT_EQ(toString(checkWeights({{"a.weight", {2, 3}}, {"a.weight", {2, 3}}},
                                  {"*.steps"}, table)),
            "");
}

TEST(CheckWeights, ReportsEveryFaultAtOnce) {
  TensorTable table = tableOf({{"vit.encoder.bias", {2}},
                               {"vit.layernrom.weight", {2}},
                               {"shape", {3, 2}}});
  table.insert("whole", Tensor::fromI64({1}, {1}));
  Error error = checkWeights({{"encoder.bias", {2}},
                              {"vit.layernorm.weight", {2}},
                              {"unlike.anything", {4}},
                              {"shape", {2, 3}},
                              {"whole", {1}}},
                             {}, table);
  EXPECT_EQ(
      toString(std::move(error)),
      "m: expects the weights of the model, but some differ: 3 missing, 2 "
      "unused, 1 misshapen, 1 of the wrong type\n"
      "  tensor 'encoder.bias': expects [2], but it is missing; did you mean "
      "'vit.encoder.bias'?\n"
      "  tensor 'vit.layernorm.weight': expects [2], but it is missing; did "
      "you mean 'vit.layernrom.weight'?\n"
      "  tensor 'unlike.anything': expects [4], but it is missing\n"
      "  tensor 'vit.encoder.bias': is [2], but nothing in the model uses it\n"
      "  tensor 'vit.layernrom.weight': is [2], but nothing in the model uses "
      "it\n"
      "  tensor 'shape': expects [2, 3], but got [3, 2]\n"
      "  tensor 'whole': expects F32, F16, BF16 or F64, but got I64");
}

TEST(CheckWeights, OfAPartLeavesModulesAlone) {
  TensorTable table = tableOf({{"encoder.weight", {2}},
                               {"encoder.bias", {2}},
                               {"head.weight", {2}},
                               {"scale", {1}}});
  std::string text = toString(
      checkWeights({{"encoder.weight", {2}}}, {}, table, Coverage::Part));
  EXPECT_EQ(text, "m: expects the weights of the model, but some differ: 1 "
                  "unused\n"
                  "  tensor 'encoder.bias': is [2], but nothing in the model "
                  "uses it");
}

TEST(CheckWeights, CutsLongListsAndCountsTheRest) {
  std::vector<ExpectedWeight> expected;
  for (int i = 0; i < 1000; ++i)
    expected.push_back({"w" + std::to_string(i), {1}});
  std::string text = toString(checkWeights(expected, {}, TensorTable("m")));
  EXPECT_TRUE(StringRef(text).contains("1000 missing"));
  EXPECT_TRUE(StringRef(text).ends_with("\n  and 980 more missing weights"));
  EXPECT_EQ(StringRef(text).count('\n'), 21u);
}

TEST(CheckWeights, ReportsOneWeightOfTwoShapes) {
  TensorTable table = tableOf({{"tied", {2, 3}}});
  EXPECT_TRUE(StringRef(toString(checkWeights(
                            {{"tied", {2, 3}}, {"tied", {3, 2}}}, {}, table)))
                  .ends_with("tensor 'tied': expects [3, 2], but got [2, 3]"));
}

//===--- applyAliases -----------------------------------------------------===//

TEST(ApplyAliases, RenamesWhatIsMissing) {
  TensorTable table = tableOf({{"dense.weight", {2}},
                               {"norm.gamma", {3}},
                               {"bert.bias", {4}},
                               {"bert.own", {5}}});
  std::vector<ExpectedWeight> expected = {{"bert.dense.weight", {2}},
                                          {"bert.norm.weight", {3}},
                                          {"bias", {4}},
                                          {"own", {5}},
                                          {"bert.own", {5}},
                                          {"nowhere", {6}}};
  applyAliases(expected, {{"bert.*", "*"}, {"*norm.weight", "*norm.gamma"}},
               table);
  EXPECT_TRUE(table.find("bert.dense.weight"));
  // By two aliases.
  ASSERT_TRUE(table.find("bert.norm.weight"));
  EXPECT_EQ(table.find("bert.norm.weight")->shape.front(), 3);
  EXPECT_EQ(table.storedName("bert.norm.weight"), "norm.gamma");
  // Either way.
  EXPECT_TRUE(table.find("bias"));
  // A tensor stays who is asked for by its name.
  EXPECT_FALSE(table.find("own"));
  EXPECT_EQ(table.storedName("bert.own"), "bert.own");
  EXPECT_FALSE(table.find("nowhere"));
  EXPECT_EQ(table.size(), 4u);
}

TEST(ApplyAliases, EndsWhateverTheyAre) {
  TensorTable table = tableOf({{"y", {1}}});
  std::vector<NameAlias> aliases(16, {"*", "*x"});
  applyAliases({{"a", {1}}, {"", {1}}}, aliases, table);
  applyAliases({{"a", {1}}}, {{"aa*a", "y"}, {"a*a", "y"}}, table);
  EXPECT_TRUE(table.find("y"));
}

TEST(CheckWeights, PatternsMatchAnyTextAtStars) {
  EXPECT_TRUE(matchesPattern("a.b.c", "a.*c"));
  EXPECT_TRUE(matchesPattern("a.b.c", "*"));
  EXPECT_TRUE(matchesPattern("abcabc", "*abc"));
  EXPECT_TRUE(matchesPattern("a", "a**"));
  EXPECT_TRUE(matchesPattern("", ""));
  EXPECT_TRUE(matchesPattern("aXbYc", "a*b*c"));
  EXPECT_FALSE(matchesPattern("a.b.c", "a.b"));
  EXPECT_FALSE(matchesPattern("a.b.c", "b*"));
  EXPECT_FALSE(matchesPattern("abc", "*b"));
  EXPECT_FALSE(matchesPattern("", "a"));
  EXPECT_FALSE(matchesPattern("a[0]", "a?0]"));
}

} // namespace
