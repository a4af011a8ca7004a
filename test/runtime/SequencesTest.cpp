// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sequences over pages of a cache: what is refused before anything is written,
// and the parts of a model.

#include "runtime/Internal.h"
#include "test/runtime/FakeStep.h"
#include "gmock/gmock.h"
#include <array>
#include <memory>
#include <vector>

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr int64_t kPages = 12;

class SequencesTest : public testing::Test {
protected:
  SequencesTest() {
    EXPECT_EQ(attn_open(&fake_step, nullptr, nullptr, &model, &error), ATTN_OK)
        << error.message;
    for (auto &page : cache)
      for (float &value : page.values)
        value = -1;
  }
  ~SequencesTest() override { attn_close(model); }

  attn_status step() {
    int64_t dims[] = {int64_t(tokens.size()), int64_t(counts.size()), 3, kPages,
                      2};
    const void *inputs[] = {
        tokens.data(),      counts.data(),        past.data(), pages.data(),
        memoryPages.data(), memoryLengths.data(), cacheData};
    void *outputs[] = {logits.data()};
    return attn_call(model, nullptr, dims, inputs, outputs, &error);
  }
  attn_status encode(const std::vector<int64_t> &source,
                     const std::vector<int64_t> &into) {
    int64_t dims[] = {int64_t(source.size()), int64_t(into.size()), kPages};
    const void *inputs[] = {source.data(), into.data(), cacheData};
    return attn_call(attn_part(model, 0), nullptr, dims, inputs, nullptr,
                     &error);
  }
  /// Runs a step that must be refused, and says why it was.
  std::string refusal(attn_status expected = ATTN_OUT_OF_RANGE) {
    std::vector<float> before(cacheData, cacheData + sizeof(cache) / 4);
    logits.fill(-7);
    EXPECT_EQ(step(), expected);
    EXPECT_THAT(logits, Each(-7)) << "an output was touched";
    EXPECT_EQ(before,
              std::vector<float>(cacheData, cacheData + sizeof(cache) / 4))
        << "the cache was touched";
    return error.message;
  }
  int64_t likeliest(size_t sequence) {
    auto row = logits.begin() + sequence * FAKE_DIGITS;
    return std::max_element(row, row + FAKE_DIGITS) - row;
  }

  struct alignas(64) Page {
    float values[FAKE_PAGE_FLOATS];
  };
  attn_model *model = nullptr;
  attn_error error = {};
  std::array<Page, kPages> cache;
  float *cacheData = cache.front().values;
  // Two sequences, one of them at its second page.
  std::vector<int64_t> tokens = {1, 2, 3, 4, 5}, counts = {2, 3}, past = {0, 3},
                       pages = {0, 1, 2, 3, 4, 5}, memoryPages = {6, 7, 8, 9},
                       memoryLengths = {1, 5};
  std::array<float, 2 * FAKE_DIGITS> logits;
};

TEST_F(SequencesTest, StepsReadWhatEarlierCallsWrote) {
  ASSERT_EQ(encode({7}, {6}), ATTN_OK) << error.message;
  ASSERT_EQ(encode({1, 1, 1, 1, 2}, {8, 9}), ATTN_OK) << error.message;
  tokens = {1, 2, 9, 9, 9};
  past = {0, 0};
  ASSERT_EQ(step(), ATTN_OK) << error.message;
  EXPECT_EQ(likeliest(0), (7 + 1 + 2) % 10);
  EXPECT_EQ(likeliest(1), (6 + 27) % 10);
  tokens = {4, 3, 4, 5};
  counts = {1, 3};
  past = {2, 3};
  ASSERT_EQ(step(), ATTN_OK) << error.message;
  EXPECT_EQ(likeliest(0), (7 + 1 + 2 + 4) % 10);
  EXPECT_EQ(likeliest(1), (6 + 27 + 12) % 10);
}

TEST_F(SequencesTest, CountsAreAtLeastOneAndAddUp) {
  counts = {0, 5};
  EXPECT_EQ(refusal(), "expects 'counts' of at least 1, but sequence 0 has 0");
  counts = {2, INT64_MIN};
  EXPECT_THAT(refusal(), HasSubstr("but sequence 1 has -9223372036854775808"));
  counts = {2, 2};
  EXPECT_EQ(refusal(), "expects 'counts' to add up to the 5 tokens, but they "
                       "add up to 4");
  for (int64_t many : {int64_t(4), INT64_MAX}) {
    counts = {2, many};
    EXPECT_EQ(refusal(), "expects 'counts' to add up to the 5 tokens, but they "
                         "exceed them at sequence 1 with " +
                             std::to_string(many));
  }
}

TEST_F(SequencesTest, LengthsFitThePages) {
  past = {11, 3};
  EXPECT_EQ(refusal(), "sequence 0: 2 new tokens after 11 exceed the 12 "
                       "positions in its pages");
  past = {INT64_MAX, 3};
  EXPECT_THAT(refusal(), HasSubstr("exceed the 12 positions"));
  past = {0, -1};
  EXPECT_EQ(refusal(), "expects 'past' of at least 0, but sequence 1 has -1");
  past = {10, 9};
  EXPECT_EQ(step(), ATTN_OK) << error.message;
}

TEST_F(SequencesTest, LengthsFitTheModel) {
  tokens = {1};
  counts = {1};
  int64_t dims[] = {1, 1, 9, kPages, 2};
  pages = {0, 1, 2, 3, 4, 5, 10, 11, 7};
  auto call = [&](int64_t length) {
    const void *inputs[] = {
        tokens.data(),   counts.data(),        &length,  pages.data(),
        &memoryPages[2], memoryLengths.data(), cacheData};
    void *outputs[] = {logits.data()};
    return attn_call(model, nullptr, dims, inputs, outputs, &error);
  };
  EXPECT_EQ(call(FAKE_POSITIONS - 1), ATTN_OK) << error.message;
  EXPECT_EQ(call(FAKE_POSITIONS), ATTN_OUT_OF_RANGE);
  EXPECT_STREQ(error.message, "sequence 0: 1 new tokens after 30 exceed the 30 "
                              "positions of the model");
}

TEST_F(SequencesTest, UsedPagesLieInTheCache) {
  for (int64_t page : {int64_t(-1), kPages, INT64_MIN, INT64_MAX}) {
    pages = {0, 1, 2, 3, page, 5};
    EXPECT_EQ(refusal(), "expects 'pages' in [0, 12), but block 1 of sequence "
                         "1 has " +
                             std::to_string(page));
  }
  // What lies behind the tokens of a sequence is not read.
  pages = {0, -5, INT64_MAX, 3, 4, 99};
  EXPECT_EQ(step(), ATTN_OK) << error.message;
}

TEST_F(SequencesTest, MemoryIsChecked) {
  for (int64_t length : {int64_t(0), int64_t(-1), int64_t(9), INT64_MAX}) {
    memoryLengths = {1, length};
    EXPECT_EQ(refusal(), "expects 'memory_lengths' in [1, 8], but sequence 1 "
                         "has " +
                             std::to_string(length));
  }
  memoryLengths = {1, 5};
  memoryPages = {6, -1, 8, 12};
  EXPECT_EQ(refusal(), "expects 'memory_pages' in [0, 12), but block 1 of "
                       "sequence 1 has 12");
}

TEST_F(SequencesTest, APageHasOneWriter) {
  pages = {4, 1, 2, 3, 4, 5};
  EXPECT_EQ(refusal(), "page 4 is written twice in one call, the second time "
                       "for sequence 1");
  pages = {3, 1, 2, 3, 4, 5};
  EXPECT_EQ(refusal(), "page 3 is written twice in one call, the second time "
                       "for sequence 1");
  counts = {5};
  past = {0};
  pages = {3, 3, 0};
  EXPECT_EQ(refusal(), "page 3 is written twice in one call, the second time "
                       "for sequence 0");
}

TEST_F(SequencesTest, NobodyReadsWhatTheCallWrites) {
  past = {0, 4};
  pages = {3, 1, 2, 3, 4, 5};
  EXPECT_EQ(refusal(),
            "sequence 1 reads page 3, which the same call writes for "
            "another block");
  pages = {0, 1, 2, 3, 4, 5};
  memoryPages = {6, 7, 8, 4};
  EXPECT_EQ(refusal(),
            "sequence 1 reads page 4, which the same call writes for "
            "another block");
  memoryPages = {6, 7, 8, 9};
  past = {4, 4};
  pages = {1, 1, 2, 3, 4, 5};
  EXPECT_EQ(refusal(),
            "sequence 0 reads page 1, which the same call writes for "
            "another block")
      << "there is no window";
}

TEST_F(SequencesTest, PagesBehindMayBeShared) {
  past = {4, 4};
  pages = {3, 1, 2, 3, 4, 5};
  EXPECT_EQ(step(), ATTN_OK) << error.message;
}

// The first of a call's tokens sees 6 positions.
TEST_F(SequencesTest, PagesBehindAWindowMayBeUsedAgain) {
  attn_model *windowed;
  ASSERT_EQ(attn_open(&fake_windowed, nullptr, nullptr, &windowed, &error),
            ATTN_OK);
  tokens = {1, 2};
  auto call = [&](int64_t length, std::vector<int64_t> row) {
    int64_t dims[] = {2, 1, int64_t(row.size()), kPages}, count = 2;
    const void *inputs[] = {tokens.data(), &count, &length, row.data(),
                            cacheData};
    void *outputs[] = {logits.data()};
    return attn_call(windowed, nullptr, dims, inputs, outputs, &error);
  };
  EXPECT_EQ(call(8, {5, 6, 5}), ATTN_OUT_OF_RANGE);
  EXPECT_STREQ(error.message, "sequence 0 reads page 5, which the same call "
                              "writes for another block");
  EXPECT_EQ(call(12, {6, 5, 7, 6}), ATTN_OK) << error.message;
  EXPECT_EQ(call(12, {5, 6, 7, 6}), ATTN_OUT_OF_RANGE);
  EXPECT_EQ(call(12, {5, 5, 7, 5}), ATTN_OUT_OF_RANGE) << "position 7 is seen";
  EXPECT_EQ(call(13, {5, 6, 7, 5}), ATTN_OK) << error.message;
  EXPECT_EQ(call(13, {-1, 6, 7, 5}), ATTN_OUT_OF_RANGE);
  attn_close(windowed);
}

TEST_F(SequencesTest, PagesOfASequenceAreBoundedByItsWindow) {
  const attn_program *all = &fake_decoder, *some = &fake_windowed;
  for (size_t at_once : {1, 5, 1000}) {
    EXPECT_EQ(attn_sequence_pages(all, 0, at_once), 0u);
    EXPECT_EQ(attn_sequence_pages(all, 1, at_once), 1u);
    EXPECT_EQ(attn_sequence_pages(all, 401, at_once), 101u);
  }
  // The least number of pages with which every place of a call is right.
  for (size_t at_once = 1; at_once < 20; ++at_once) {
    size_t most = 0;
    for (size_t past = 50; past < 70; ++past)
      most =
          std::max(most, (past + at_once - 1) / FAKE_PAGE_TOKENS -
                             (past - FAKE_WINDOW + 1) / FAKE_PAGE_TOKENS + 1);
    EXPECT_EQ(attn_sequence_pages(some, 1000, at_once), most);
    EXPECT_EQ(attn_sequence_pages(some, 5, at_once), 2u);
  }
  EXPECT_EQ(attn_sequence_pages(some, SIZE_MAX, SIZE_MAX), SIZE_MAX / 4 + 1);
}

TEST_F(SequencesTest, RefusedCallsLeaveNoTrace) {
  int64_t dims[] = {5, 2, 3, kPages, 2};
  size_t bytes;
  ASSERT_EQ(attn_workspace_bytes(model, dims, 1, &bytes, &error), ATTN_OK);
  std::unique_ptr<void, decltype(&std::free)> workspace(
      std::aligned_alloc(64, (bytes + 63) / 64 * 64), std::free);
  attn_run *run;
  ASSERT_EQ(
      attn_prepare(model, nullptr, workspace.get(), bytes, dims, &run, &error),
      ATTN_OK);
  std::vector<int64_t> good = pages;
  for (std::vector<int64_t> bad :
       {std::vector<int64_t>{4, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 3, 5}}) {
    for (const auto *table : {&bad, &good}) {
      const void *inputs[] = {
          tokens.data(),      counts.data(),        past.data(), table->data(),
          memoryPages.data(), memoryLengths.data(), cacheData};
      void *outputs[] = {logits.data()};
      EXPECT_EQ(attn_run_once(run, inputs, outputs, &error),
                table == &good ? ATTN_OK : ATTN_OUT_OF_RANGE)
          << error.message;
    }
  }
}

TEST_F(SequencesTest, TheCacheIsAlignedAndApart) {
  cacheData += 4;
  EXPECT_EQ(step(), ATTN_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "expects 'cache' to be aligned to 64 bytes");
  cacheData = nullptr;
  EXPECT_EQ(step(), ATTN_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "tensor 'cache' is NULL");
  cacheData = cache.front().values;

  int64_t dims[] = {5, 2, 3, kPages, 2};
  auto *inside = reinterpret_cast<int64_t *>(cacheData + 32);
  std::copy(counts.begin(), counts.end(), inside);
  const void *inputs[] = {tokens.data(),      inside,
                          past.data(),        pages.data(),
                          memoryPages.data(), memoryLengths.data(),
                          cacheData};
  void *outputs[] = {logits.data()};
  EXPECT_EQ(attn_call(model, nullptr, dims, inputs, outputs, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "input 'cache' overlaps tensor 'counts'");
  inputs[1] = counts.data();
  outputs[0] = cacheData + 16;
  EXPECT_EQ(attn_call(model, nullptr, dims, inputs, outputs, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "output 'logits' overlaps tensor 'cache'");
}

TEST_F(SequencesTest, EncodingNeedsPagesOfItsOwn) {
  EXPECT_EQ(encode({1, 2, 3, 4, 5}, {6}), ATTN_OUT_OF_RANGE);
  EXPECT_STREQ(error.message, "expects 2 pages in 'memory_pages' for 5 "
                              "positions, but got 1");
  EXPECT_EQ(encode({1, 2, 3, 4, 5}, {6, 6}), ATTN_OUT_OF_RANGE);
  EXPECT_THAT(error.message, HasSubstr("page 6 is written twice"));
  EXPECT_EQ(encode({1, 2, 3, 4, 5}, {6, kPages}), ATTN_OUT_OF_RANGE);
  EXPECT_THAT(error.message, HasSubstr("'memory_pages' in [0, 12)"));
  EXPECT_EQ(encode({1, 2, 3, 4, 5}, {6, 7, -1}), ATTN_OK) << error.message;
}

TEST_F(SequencesTest, PartsBelongToTheModel) {
  const attn_model *part = attn_part(model, 0);
  ASSERT_NE(part, nullptr);
  EXPECT_STREQ(attn_isa(part), "any");
  EXPECT_EQ(attn_part(model, 1), nullptr);
  EXPECT_EQ(attn_part(part, 0), nullptr);
  EXPECT_EQ(attn_part(nullptr, 0), nullptr);
}

} // namespace
