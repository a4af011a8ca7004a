// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C header of a model: its names, and that compilers accept it.

#include "codegen/package/Header.h"
#include "test/codegen/package/Temporary.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cstdlib>

using namespace attn::package;
using attn::test::TemporaryFolder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

ModelInterface bert() {
  ModelInterface model;
  model.name = "bert-base.v2";
  model.dims = {{"batch", 1, 64}, {"sequence", 1, 512}};
  model.inputs = {{"input_ids", ATTN_I64, {-1, -2}, 30522},
                  {"class", ATTN_F32, {-1, 4}},
                  {"a.b", ATTN_F32, {2}},
                  {"a/b", ATTN_F32, {}}};
  model.outputs = {{"0*/evil", ATTN_F32, {-1, -2, 8}}};
  return model;
}

/// Whether the compiler takes a file that includes the model's header twice and
/// attn/attn.h, calls the model, and says nothing.
bool compiles(const ModelInterface &model, llvm::StringRef language,
              llvm::StringRef body) {
  TemporaryFolder folder;
  folder.write("model.h", makeHeader(model, /*hasWeights=*/true));
  std::string source =
      folder.write("main.c", ("#include \"model.h\"\n#include "
                              "\"attn/attn.h\"\n#include \"model.h\"\n" +
                              body)
                                 .str());
  std::string command =
      (llvm::Twine(ATTNC_TEST_C_COMPILER) + " -x " + language +
       " -pedantic -Wall -Wextra -Werror -fsyntax-only -I " +
       ATTNC_TEST_INCLUDE + " " + source)
          .str();
  return std::system(command.c_str()) == 0;
}

TEST(Header, NamesBecomeIdentifiers) {
  EXPECT_EQ(cIdentifier("pixel_values"), "pixel_values");
  EXPECT_EQ(cIdentifier("encoder.0-x"), "encoder_0_x");
  EXPECT_EQ(cIdentifier("0"), "x0");
  EXPECT_EQ(cIdentifier("_x"), "x_x");
  EXPECT_EQ(cIdentifier(""), "x");
  EXPECT_EQ(cIdentifier("class"), "class_");
  EXPECT_EQ(cIdentifier("int"), "int_");
  EXPECT_EQ(cIdentifier("\xc3\xa9"), "x__");
}

TEST(Header, ModelNamesKeepAwayFromTheRuntimeAndLibc) {
  EXPECT_EQ(modelIdentifier("vit"), "vit");
  EXPECT_EQ(modelIdentifier("attn"), "model_attn");
  EXPECT_EQ(modelIdentifier("attn_v1"), "model_attn_v1");
  EXPECT_EQ(modelIdentifier("sem"), "model_sem");
}

TEST(Header, NamesThatCollideGetNumbers) {
  CNames names = makeCNames(bert(), entryPrefix(bert()));
  EXPECT_EQ(names.prefix, "bert_base_v2");
  EXPECT_THAT(names.inputs, ElementsAre("input_ids", "class_", "a_b", "a_b_2"));
}

TEST(Header, StatesShapesTypesAndBounds) {
  std::string text = makeHeader(bert(), /*hasWeights=*/true);
  EXPECT_THAT(text, HasSubstr("int64_t sequence; /* in [1, 512] */"));
  EXPECT_THAT(text, HasSubstr("[batch, sequence], every element in [0, 30522) "
                              "*/\n  const int64_t *input_ids;"));
  EXPECT_THAT(text, HasSubstr("'a/b': [] */\n  const float *a_b_2;"));
  EXPECT_THAT(text, HasSubstr("[batch, sequence, 8] */\n  float *"));
  EXPECT_THAT(text, Not(HasSubstr("@")));
}

constexpr llvm::StringLiteral callBert = R"(
#include <stdio.h>
int main(void) {
  static int64_t ids[3];
  static float rest[8], out[24];
  attn_model *model;
  attn_error error;
  if (bert_base_v2_open("bert.weights", &model, &error) != ATTN_OK)
    return puts(error.message);
  bert_base_v2_dims dims = {1, 3};
  bert_base_v2_inputs inputs = {ids, rest, rest, rest};
  bert_base_v2_outputs outputs = {out};
  attn_status status =
      bert_base_v2_call(model, NULL, &dims, &inputs, &outputs, &error);
  bert_base_v2_close(model);
  puts(bert_base_v2_describe());
  return (int)status;
}
)";

TEST(Header, IsC99) { EXPECT_TRUE(compiles(bert(), "c -std=c99", callBert)); }

TEST(Header, IsCxx11) {
  EXPECT_TRUE(compiles(bert(), "c++ -std=c++11", callBert));
}

TEST(Header, ModelsWithoutDimensionsOrWeightsWork) {
  ModelInterface model;
  model.name = "fixed";
  model.outputs = {{"y", ATTN_F32, {2}}};
  EXPECT_TRUE(compiles(model, "c -std=c99", R"(
attn_status call(attn_model *model, const fixed_outputs *outputs);
attn_status call(attn_model *model, const fixed_outputs *outputs) {
  return fixed_call(model, NULL, NULL, NULL, outputs, NULL);
}
)"));
  EXPECT_THAT(makeHeader(model, /*hasWeights=*/false),
              HasSubstr("It has no weights"));
}

ModelInterface translatorStep() {
  ModelInterface model;
  model.name = "marian";
  model.dims = {
      {"tokens"}, {"sequences"}, {"blocks"}, {"page_count"}, {"memory_blocks"}};
  model.inputs = {
      {"decoder_input_ids", ATTN_I64, {1, -1}, 70, ATTN_ROLE_TOKENS},
      {"counts", ATTN_I64, {-2}, 0, ATTN_ROLE_COUNTS},
      {"past", ATTN_I64, {-2}, 0, ATTN_ROLE_PAST},
      {"pages", ATTN_I64, {-2, -3}, 0, ATTN_ROLE_PAGES},
      {"memory_pages", ATTN_I64, {-2, -5}, 0, ATTN_ROLE_MEMORY_PAGES},
      {"memory_lengths", ATTN_I64, {-2}, 0, ATTN_ROLE_MEMORY_LENGTHS},
      {"cache", ATTN_F32, {-4, 1024}, 0, ATTN_ROLE_CACHE}};
  model.outputs = {{"logits", ATTN_F32, {1, -2, 70}}};
  model.cache = {64, 4096, 512, 0};
  return model;
}

ModelInterface translatorEncoder() {
  ModelInterface model;
  model.name = "encode";
  model.dims = {{"sequence", 1, 512}, {"memory_blocks"}, {"page_count"}};
  model.inputs = {
      {"input_ids", ATTN_I64, {1, -1}, 70},
      {"memory_pages", ATTN_I64, {1, -2}, 0, ATTN_ROLE_MEMORY_PAGES},
      {"cache", ATTN_F32, {-3, 1024}, 0, ATTN_ROLE_CACHE}};
  model.cache = {64, 4096, 0, -1};
  return model;
}

constexpr llvm::StringLiteral translate = R"(
#include <stdlib.h>
int main(void) {
  static int64_t source[9], page = 0, length = 9, token = 69, count = 1, past = 0;
  static float logits[70];
  attn_model *model;
  attn_error error;
  float *cache = (float *)malloc(MARIAN_PAGE_TOKENS + MARIAN_POSITIONS +
                                 marian_sequence_pages(99, 1) * marian_page_bytes());
  int64_t pages[1] = {1};
  marian_encode_dims sizes = {9, 1, 2};
  marian_encode_inputs sources = {source, &page, cache};
  marian_step_dims dims = {1, 1, 1, 2, 1};
  marian_step_inputs inputs = {&token, &count, &past, pages, &page, &length, cache};
  marian_step_outputs outputs = {logits};
  attn_run *run;
  size_t bytes;
  cache[0] = 1;
  if (marian_open("marian.weights", &model, &error) != ATTN_OK)
    return 1;
  marian_encode_call(model, NULL, &sizes, &sources, NULL, &error);
  marian_encode_workspace_bytes(model, &sizes, 1, &bytes, &error);
  marian_step_workspace_bytes(model, &dims, 1, &bytes, &error);
  marian_step_prepare(model, NULL, cache, bytes, &dims, &run, &error);
  marian_step_run(run, &inputs, &outputs, &error);
  marian_close(model);
  return marian_describe()[0];
}
)";

/// Both programs of the model, in one header.
bool translatorCompiles(llvm::StringRef language) {
  TemporaryFolder folder;
  folder.write("model.h", makeHeader(translatorStep(), /*hasWeights=*/true,
                                     translatorEncoder()));
  std::string source = folder.write(
      "main.c",
      ("#include \"model.h\"\n#include \"attn/attn.h\"\n" + translate).str());
  return std::system((llvm::Twine(ATTNC_TEST_C_COMPILER) + " -x " + language +
                      " -pedantic -Wall -Wextra -Werror -fsyntax-only -I " +
                      ATTNC_TEST_INCLUDE + " " + source)
                         .str()
                         .c_str()) == 0;
}

TEST(Header, ProgramsWithACacheAreC99AndCxx11) {
  EXPECT_TRUE(translatorCompiles("c -std=c99"));
  EXPECT_TRUE(translatorCompiles("c++ -std=c++11"));
}

TEST(Header, SaysHowFarAWindowReaches) {
  ModelInterface step = translatorStep();
  auto text = [&] { return makeHeader(step, /*hasWeights=*/true); };
  EXPECT_THAT(text(), testing::Not(HasSubstr("MARIAN_WINDOW")));
  step.cache->window = 4096;
  EXPECT_THAT(text(), HasSubstr("enum { MARIAN_WINDOW = 4096 };"));
  EXPECT_THAT(text(),
              HasSubstr("no more than the window and what a call adds"));
}

TEST(Header, SaysWhatSequencesAndPagesAre) {
  std::string text =
      makeHeader(translatorStep(), /*hasWeights=*/true, translatorEncoder());
  EXPECT_THAT(text, HasSubstr("enum { MARIAN_PAGE_TOKENS = 64 };"));
  EXPECT_THAT(text, HasSubstr("enum { MARIAN_POSITIONS = 512 };"));
  EXPECT_THAT(text, HasSubstr("  float *cache;"));
  EXPECT_THAT(text, HasSubstr("  const int64_t *past;"));
  EXPECT_THAT(text, HasSubstr("length: sequence of the input."));
  for (const char *placeholder : {"@", "%", "$"})
    EXPECT_THAT(text, Not(HasSubstr(placeholder)));
}

} // namespace
