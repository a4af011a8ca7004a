// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arithmetic of sizes.

#include "frontend/language/check/Dim.h"
#include "gtest/gtest.h"

using namespace attn::lang;

static const Dim batch = Dim::symbol("batch");
static const Dim sequence = Dim::symbol("sequence");

TEST(Dim, PolynomialsAreCanonical) {
  EXPECT_EQ(*batch.mul(sequence), *sequence.mul(batch));
  EXPECT_EQ(*sequence.add(Dim(1))->sub(sequence), Dim(1));
  EXPECT_FALSE(batch == sequence);
}

TEST(Dim, Printing) {
  EXPECT_EQ(sequence.add(Dim(1))->str(), "sequence + 1");
  EXPECT_EQ(batch.mul(Dim(2))->sub(Dim(3))->str(), "2 * batch - 3");
  EXPECT_EQ(batch.mul(sequence)->str(), "batch * sequence");
  Dim named(64);
  named.label = "hidden_size";
  EXPECT_EQ(named.str(), "hidden_size (64)");
}

TEST(Dim, OverflowIsFound) {
  Dim large(INT64_MAX);
  EXPECT_FALSE(large.add(Dim(1)));
  EXPECT_FALSE(large.mul(Dim(2)));
  EXPECT_FALSE(Dim(INT64_MIN).mul(Dim(-1)));
  EXPECT_FALSE(Dim(0).sub(Dim(INT64_MIN)));
}

TEST(Dim, DegreeIsBounded) {
  std::optional<Dim> power = batch;
  for (int i = 0; power && i < 100; ++i)
    power = power->mul(batch);
  EXPECT_FALSE(power);
}

TEST(Dim, Division) {
  EXPECT_EQ(*batch.mul(Dim(6))->divide(3), *batch.mul(Dim(2)));
  EXPECT_FALSE(batch.mul(Dim(7))->divide(3));
  EXPECT_FALSE(batch.divide(0));
}

TEST(Dim, UpperBound) {
  std::map<std::string, int64_t> max{{"sequence", 40}};
  EXPECT_EQ(sequence.add(Dim(2))->upperBound(max), 42);
  EXPECT_FALSE(batch.upperBound(max));
  // A dimension is at least 1.
  EXPECT_EQ(Dim(10).sub(batch)->upperBound(max), 9);
}
