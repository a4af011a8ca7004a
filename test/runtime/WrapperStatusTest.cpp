// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C++ wrapper without exceptions: every failure is a status.

#define ATTN_NO_EXCEPTIONS
#include "attn/attn.hpp"
#include "test/runtime/WeightsOnDisk.h"
#include "gmock/gmock.h"

using namespace attn::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

static_assert(!std::is_constructible_v<attn::Model, const attn_program &>,
              "what could throw is not there");

TEST(WrapperStatus, Computes) {
  TemporaryFile file(fakeWeights());
  attn::Model model;
  attn_error error = {};
  ASSERT_EQ(attn::Model::tryOpen(model, fake_model, file.path(), &error),
            ATTN_OK);
  attn::Run run;
  ASSERT_EQ(attn::Run::tryPrepare(run, model, {2, 1}), ATTN_OK);
  const int64_t ids[] = {3, 4};
  const float scale[] = {1, 10};
  float y[2];
  ASSERT_EQ(run.tryRun({attn::Span(ids), attn::Span(scale)}, {attn::Span(y)}),
            ATTN_OK);
  EXPECT_THAT(y, ElementsAre(3, 40));
}

TEST(WrapperStatus, FailuresLeaveTheObjectAsItWas) {
  attn::Model model;
  attn_error error = {};
  EXPECT_EQ(attn::Model::tryOpen(model, fake_model, "/nonexistent/w", &error),
            ATTN_IO_ERROR);
  EXPECT_THAT(error.message, HasSubstr("cannot open"));
  EXPECT_FALSE(model);
  EXPECT_EQ(
      attn::Model::tryOpen(model, fake_kernel, nullptr, &error, "impossible"),
      ATTN_UNSUPPORTED_CPU);
  EXPECT_FALSE(model);
  ASSERT_EQ(attn::Model::tryOpen(model, fake_kernel, nullptr), ATTN_OK);
  EXPECT_EQ(attn::Model::tryOpen(model, fake_kernel, "w"),
            ATTN_INVALID_ARGUMENT);
  EXPECT_TRUE(model);
}

TEST(WrapperStatus, SizesThatOverflowAreAStatus) {
  TemporaryFile file(fakeWeights());
  attn::Model model;
  ASSERT_EQ(attn::Model::tryOpen(model, fake_model, file.path()), ATTN_OK);
  attn::Run run;
  EXPECT_EQ(attn::Run::tryPrepare(run, model, {1, int64_t(1) << 62}),
            ATTN_INVALID_ARGUMENT);
}

} // namespace
