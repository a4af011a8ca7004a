// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C++ wrapper, with exceptions.

#include "attn/attn.hpp"
#include "test/runtime/FakeStep.h"
#include "test/runtime/WeightsOnDisk.h"
#include "gmock/gmock.h"
#include <array>

using namespace attn::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// What went wrong in `call`, or an error of status ATTN_OK.
template <typename Call> attn::Error errorOf(Call call) {
  try {
    call();
  } catch (const attn::Error &error) {
    return error;
  }
  attn_error none = {};
  return attn::Error(none);
}

class WrapperTest : public testing::Test {
protected:
  TemporaryFile file{fakeWeights()};
  attn::Model model{fake_model, file.path()};
  std::vector<int64_t> ids{1, 2, 3, 4, 5, 6};
  std::array<float, 2> scale{1, 10};
  std::vector<float> y = std::vector<float>(6, -1);
};

TEST_F(WrapperTest, Computes) {
  attn::Run run(model, {2, 3});
  run({ids, scale}, {y});
  EXPECT_THAT(y, ElementsAre(1, 2, 3, 40, 50, 60));
  scale[0] = 2;
  run({ids, scale}, {y});
  EXPECT_THAT(y, ElementsAre(2, 4, 6, 40, 50, 60));
}

TEST_F(WrapperTest, TakesSpansArraysAndPointers) {
  const float scales[] = {1, 10};
  float results[6];
  attn::Run run(model, {2, 3});
  run({attn::Span<const int64_t>(ids.data(), ids.size()),
       attn::Span<const float>(scales)},
      {attn::Span<float>(results)});
  EXPECT_THAT(results, ElementsAre(1, 2, 3, 40, 50, 60));
}

TEST_F(WrapperTest, RunsOnTheHostsLoop) {
  std::vector<size_t> seen;
  auto backwards = [&](size_t slots, auto body) {
    for (size_t slot = slots; slot-- > 0;) {
      seen.push_back(slot);
      body(slot);
    }
  };
  attn_executor executor = attn::makeExecutor(backwards, 2);
  attn::Run run(model, {2, 3}, &executor);
  run({ids, scale}, {y});
  EXPECT_THAT(y, ElementsAre(1, 2, 3, 40, 50, 60));
  EXPECT_THAT(seen, ElementsAre(1, 0, 1, 0));
}

TEST_F(WrapperTest, MovesKeepWhatTheyHold) {
  attn::Model moved = std::move(model);
  EXPECT_FALSE(model);
  ASSERT_TRUE(moved);
  attn::Run first(moved, {2, 3});
  attn::Run run = std::move(first);
  run({ids, scale}, {y});
  EXPECT_THAT(y, ElementsAre(1, 2, 3, 40, 50, 60));
}

TEST_F(WrapperTest, DescribesTheModel) {
  EXPECT_STREQ(model.program().inputs[0].name, "ids");
  EXPECT_STREQ(model.isa(), "any");
  size_t bytes = 0;
  int64_t dims[] = {2, 3};
  ASSERT_EQ(attn_workspace_bytes(model.get(), dims, 4, &bytes, nullptr),
            ATTN_OK);
  EXPECT_EQ(model.workspaceBytes({2, 3}, 4), bytes);
}

TEST_F(WrapperTest, ErrorsCarryStatusAndMessage) {
  attn::Error missing =
      errorOf([] { attn::Model(fake_model, "/nonexistent/w"); });
  EXPECT_EQ(missing.status(), ATTN_IO_ERROR);
  EXPECT_THAT(missing.what(), HasSubstr("/nonexistent/w: cannot open"));
  attn::Error dim = errorOf([&] { attn::Run(model, {0, 3}); });
  EXPECT_EQ(dim.status(), ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(dim.what(), HasSubstr("expects dimension 'batch' in [1, 1000]"));
  ids[5] = FAKE_VOCABULARY;
  attn::Run run(model, {2, 3});
  EXPECT_EQ(errorOf([&] { run({ids, scale}, {y}); }).status(),
            ATTN_OUT_OF_RANGE);
  EXPECT_EQ(y[0], -1);
}

TEST_F(WrapperTest, CountsTypesAndSizesAreChecked) {
  EXPECT_THAT(errorOf([&] { attn::Run(model, {2}); }).what(),
              HasSubstr("'fake' expects 2 dimensions, but got 1"));
  attn::Run run(model, {2, 3});
  EXPECT_THAT(errorOf([&] { run({ids}, {y}); }).what(),
              HasSubstr("'fake' expects 2 inputs, but got 1"));
  EXPECT_THAT(errorOf([&] { run({ids, scale}, {}); }).what(),
              HasSubstr("'fake' expects 1 outputs, but got 0"));
  EXPECT_THAT(errorOf([&] { run({scale, ids}, {y}); }).what(),
              HasSubstr("tensor 'ids' expects elements of type i64"));
  ids.pop_back();
  EXPECT_THAT(errorOf([&] { run({ids, scale}, {y}); }).what(),
              HasSubstr("tensor 'ids' expects 6 elements, but got 5"));
  ids.push_back(1);
  y.push_back(0);
  EXPECT_THAT(errorOf([&] { run({ids, scale}, {y}); }).what(),
              HasSubstr("tensor 'y' expects 6 elements, but got 7"));
}

TEST_F(WrapperTest, ObjectsThatWereMovedFromRefuse) {
  attn::Run first(model, {2, 3});
  attn::Run second = std::move(first);
  EXPECT_THAT(errorOf([&] { first({ids, scale}, {y}); }).what(),
              HasSubstr("no run is prepared"));
  attn::Model moved = std::move(model);
  EXPECT_THAT(errorOf([&] { attn::Run(model, {2, 3}); }).what(),
              HasSubstr("no model is opened"));
}

TEST_F(WrapperTest, ModelsWithoutWeightsOpenWithoutAPath) {
  attn::Model kernel(fake_kernel);
  attn::Run run(kernel, {});
  std::array<float, 2> result{};
  run({scale}, {result});
  EXPECT_THAT(result, ElementsAre(1, 10));
}

TEST(WrapperPartsTest, EncodesAndSteps) {
  attn::Model model(fake_step), encoder = model.part("encode");
  EXPECT_FALSE(model.part("decode"));
  EXPECT_FALSE(encoder.part("encode"));
  constexpr std::size_t pages = 3, floats = pages * FAKE_PAGE_FLOATS;
  attn::Workspace memory(floats * sizeof(float));
  attn::Span<float> cache(static_cast<float *>(memory.data()), floats);
  std::vector<int64_t> source{7, 8}, memoryPages{2}, tokens{1, 2}, counts{2},
      past{0}, table{0}, lengths{2};
  std::vector<float> logits(FAKE_DIGITS);
  attn::Run(encoder, {2, 1, pages})(
      {source, memoryPages, attn::Input::inPlace(cache)}, {});
  attn::Run step(model, {2, 1, 1, pages, 1});
  step({tokens, counts, past, table, memoryPages, lengths,
        attn::Input::inPlace(cache)},
       {logits});
  EXPECT_EQ(logits[(7 + 8 + 1 + 2) % 10], 1);
  EXPECT_THAT(errorOf([&] {
                step({tokens, counts, past, table, memoryPages, lengths,
                      attn::Span<const float>(cache.data(), cache.size())},
                     {logits});
              }).what(),
              HasSubstr("tensor 'cache' is written: expects Input::inPlace"));
}

} // namespace
