// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Executors: any order, any thread, several models at the same time.

#include "test/runtime/WeightsOnDisk.h"
#include "gmock/gmock.h"
#include <cfenv>
#include <functional>
#include <thread>

using namespace attn::test;
using testing::HasSubstr;

namespace {

void runBackwards(void *, size_t slots, attn_task task, void *arg) {
  for (size_t slot = slots; slot-- > 0;)
    task(arg, slot);
}

void runOnThreads(void *, size_t slots, attn_task task, void *arg) {
  std::vector<std::thread> threads;
  for (size_t slot = 0; slot < slots; ++slot)
    threads.emplace_back([=] { task(arg, slot); });
  for (std::thread &thread : threads)
    thread.join();
}

/// One run of the model on many rows.
std::vector<float> compute(const attn_model *model,
                           const attn_executor *executor) {
  const int64_t batch = 37, length = 11;
  int64_t dims[] = {batch, length};
  std::vector<int64_t> ids(batch * length);
  std::vector<float> scale(batch), y(batch * length, -1);
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = int64_t(i % FAKE_VOCABULARY);
  for (size_t b = 0; b < scale.size(); ++b)
    scale[b] = float(8388609 + b); // exact; its products are rounded
  const void *inputs[] = {ids.data(), scale.data()};
  void *outputs[] = {y.data()};
  attn_error error = {};
  EXPECT_EQ(attn_call(model, executor, dims, inputs, outputs, &error), ATTN_OK)
      << error.message;
  return y;
}

TEST(Executor, ResultsDoNotDependOnSlotsOrderOrThreads) {
  OpenedModel model;
  std::vector<float> expected = compute(model, nullptr);
  for (size_t slots : {1, 2, 3, 8, 64}) {
    attn_executor backwards = {nullptr, slots, runBackwards};
    EXPECT_EQ(compute(model, &backwards), expected) << slots;
    attn_executor threads = {nullptr, slots, runOnThreads};
    EXPECT_EQ(compute(model, &threads), expected) << slots;
  }
}

TEST(Executor, ThreadsShareAModel) {
  OpenedModel model;
  std::vector<float> expected = compute(model, nullptr);
  std::vector<std::vector<float>> results(6);
  std::vector<std::thread> threads;
  for (auto &result : results)
    threads.emplace_back([&] {
      attn_executor executor = {nullptr, 2, runOnThreads};
      result = compute(model, &executor);
    });
  for (std::thread &thread : threads)
    thread.join();
  for (auto &result : results)
    EXPECT_EQ(result, expected);
}

TEST(Executor, ItsContextAndSlotsArrive) {
  struct Seen {
    size_t slots = 0;
    int regions = 0;
  } seen;
  attn_executor executor = {
      &seen, 5, [](void *context, size_t slots, attn_task task, void *arg) {
        auto *seen = static_cast<Seen *>(context);
        seen->slots = slots;
        ++seen->regions;
        runBackwards(nullptr, slots, task, arg);
      }};
  OpenedModel model;
  compute(model, &executor);
  EXPECT_EQ(seen.slots, 5u);
  EXPECT_EQ(seen.regions, 2);
}

TEST(Executor, TheCallersRoundingModeNeitherMattersNorChanges) {
  OpenedModel model;
  std::vector<float> expected = compute(model, nullptr);
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  std::vector<float> result = compute(model, nullptr);
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(result, expected);
}

TEST(Executor, SlotsAndRunAreChecked) {
  OpenedModel model;
  int64_t dims[] = {1, 1};
  attn_error error = {};
  attn_run *run;
  attn_executor empty = {nullptr, 0, runBackwards};
  EXPECT_EQ(attn_prepare(model, &empty, nullptr, 0, dims, &run, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("at least one slot"));
  attn_executor null = {nullptr, 1, nullptr};
  EXPECT_EQ(attn_prepare(model, &null, nullptr, 0, dims, &run, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("run is NULL"));
}

} // namespace
