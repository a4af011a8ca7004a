// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pool is an executor: every slot runs once, and many callers may share it.

#include "attn/pool.h"
#include "gmock/gmock.h"

#include <atomic>
#include <thread>
#include <vector>

using ::testing::Each;
using ::testing::HasSubstr;

namespace {

struct Counts {
  explicit Counts(size_t slots) : runs(slots) {}
  std::vector<std::atomic<int>> runs;

  static void task(void *arg, size_t slot) {
    ++static_cast<Counts *>(arg)->runs[slot];
  }
  std::vector<int> values() const { return {runs.begin(), runs.end()}; }
};

class PoolTest : public ::testing::Test {
protected:
  ~PoolTest() override { attn_pool_destroy(pool); }

  attn_executor executor(size_t threads) {
    attn_error error = {};
    EXPECT_EQ(attn_pool_create(threads, &pool, &error), ATTN_OK)
        << error.message;
    return attn_pool_executor(pool);
  }

  attn_pool *pool = nullptr;
};

TEST_F(PoolTest, HasASlotForEachThread) { EXPECT_EQ(executor(3).slots, 3u); }

TEST_F(PoolTest, ZeroThreadsMeansOneForEachProcessor) {
  EXPECT_GE(executor(0).slots, 1u);
}

TEST_F(PoolTest, RunsEverySlotOnce) {
  attn_executor pool = executor(4);
  Counts counts(pool.slots);
  for (int i = 0; i < 20; ++i)
    pool.run(pool.context, pool.slots, Counts::task, &counts);
  EXPECT_THAT(counts.values(), Each(20));
}

TEST_F(PoolTest, RunsMoreSlotsThanThreads) {
  attn_executor pool = executor(2);
  Counts counts(37);
  pool.run(pool.context, 37, Counts::task, &counts);
  EXPECT_THAT(counts.values(), Each(1));
}

TEST_F(PoolTest, ManyThreadsShareIt) {
  attn_executor pool = executor(2);
  Counts counts(pool.slots);
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int j = 0; j < 10; ++j)
        pool.run(pool.context, pool.slots, Counts::task, &counts);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_THAT(counts.values(), Each(40));
}

TEST_F(PoolTest, RefusesMoreThreadsThanAnyMachineHas) {
  attn_error error = {};
  EXPECT_EQ(attn_pool_create(1000000, &pool, &error), ATTN_INVALID_ARGUMENT);
  EXPECT_EQ(error.status, ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message,
              HasSubstr("at most 4096 threads, but got 1000000"));
  EXPECT_EQ(pool, nullptr);
}

TEST_F(PoolTest, RefusesNoPlaceForThePool) {
  EXPECT_EQ(attn_pool_create(1, nullptr, nullptr), ATTN_INVALID_ARGUMENT);
}

} // namespace
