// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The comparison that end to end tests rely on finds what it shall find.

#include "Comparison.h"

#include "test/frontend/weights/TestFiles.h"

#include <cmath>
#include <limits>

using namespace attn::test;
using namespace attn::weights;
using namespace llvm;

namespace {

constexpr Tolerance tolerance{0.01, 0.5}; // 1.5 around 100.

Comparison compareOne(float actual, float expected) {
  return valueOf(compare(Tensor::fromF32({1}, {actual}),
                         Tensor::fromF32({1}, {expected}), tolerance));
}

TEST(Comparison, PassesWithinTheTolerance) {
  EXPECT_EQ(compareOne(100, 100).errorOverTolerance, 0.0);
  EXPECT_TRUE(compareOne(101.5f, 100).passes());
  EXPECT_TRUE(compareOne(98.5f, 100).passes());
  EXPECT_FALSE(compareOne(101.51f, 100).passes());
  EXPECT_FALSE(compareOne(-100, 100).passes());
  EXPECT_NEAR(compareOne(103, 100).errorOverTolerance, 2.0, 1e-12);
}

TEST(Comparison, FailsForNaN) {
  EXPECT_FALSE(compareOne(NAN, 0).passes());
  EXPECT_FALSE(compareOne(0, NAN).passes());
  EXPECT_FALSE(compareOne(NAN, NAN).passes());
}

TEST(Comparison, TellsInfinitiesApart) {
  EXPECT_TRUE(compareOne(INFINITY, INFINITY).passes());
  EXPECT_FALSE(compareOne(INFINITY, -INFINITY).passes());
  EXPECT_FALSE(compareOne(INFINITY, 1).passes());
  EXPECT_FALSE(compareOne(1, INFINITY).passes());
}

TEST(Comparison, FindsTheWorstElementOfMany) {
  std::vector<float> expected(10000, 1.0f), actual = expected;
  actual[17] = 1.2f;
  actual[9001] = 1.4f;
  Comparison worst =
      valueOf(compare(Tensor::fromF32({100, 100}, actual),
                      Tensor::fromF32({100, 100}, expected), tolerance));
  EXPECT_EQ(worst.index, 9001u);
  EXPECT_EQ(placeText({100, 100}, worst.index), "[90, 1]");
  EXPECT_TRUE(worst.passes());
  actual[9999] = NAN;
  worst = valueOf(compare(Tensor::fromF32({10000}, actual),
                          Tensor::fromF32({10000}, expected), tolerance));
  EXPECT_EQ(worst.index, 9999u);
  EXPECT_FALSE(worst.passes());
}

TEST(Comparison, ComparesIntegersExactly) {
  constexpr int64_t big = int64_t(1) << 60;
  Tensor a = Tensor::fromI64({2}, {3, big}),
         b = Tensor::fromI64({2}, {3, big + 1});
  EXPECT_TRUE(valueOf(compare(a, a, tolerance)).passes());
  EXPECT_FALSE(valueOf(compare(a, b, tolerance)).passes());
  EXPECT_EQ(valueOf(compare(a, b, tolerance)).index, 1u);
}

TEST(Comparison, RefusesOtherShapesAndKinds) {
  Tensor tensor = Tensor::fromF32({2}, {1, 2});
  EXPECT_EQ(
      errorOf(compare(Tensor::fromF32({2, 1}, {1, 2}), tensor, tolerance)),
      "expects [2], but got [2, 1]");
  EXPECT_EQ(errorOf(compare(Tensor::fromI64({2}, {1, 2}), tensor, tolerance)),
            "expects F32, but got I64");
}

TEST(Comparison, PassesForNoElements) {
  Tensor none = Tensor::fromF32({0, 3}, {});
  EXPECT_TRUE(valueOf(compare(none, none, tolerance)).passes());
}

TEST(Comparison, ComparesBits) {
  Tensor zero = Tensor::fromF32({2, 1}, {0.0f, 0.0f});
  EXPECT_EQ(toString(compareBits(zero, zero)), "");
  EXPECT_EQ(toString(compareBits(Tensor::fromF32({2, 1}, {0.0f, -0.0f}), zero)),
            "element [1, 0] is not the expected one, bit for bit");
  EXPECT_EQ(toString(compareBits(Tensor::fromF32({2}, {0.0f, 0.0f}), zero)),
            "expects F32 [2, 1], but got F32 [2]");
}

class ToleranceTest : public FolderTest {};

TEST_F(ToleranceTest, IsReadFromTheCase) {
  Tolerance read = valueOf(readTolerance(
      put("case.json", R"({"tolerance":{"rtol":0.0001,"atol":3e-05}})")));
  EXPECT_EQ(read.rtol, 0.0001);
  EXPECT_EQ(read.atol, 3e-05);
  for (StringRef text : {"{}", "[]", R"({"tolerance":{"rtol":1}})",
                         R"({"tolerance":{"rtol":1,"atol":-1}})"})
    EXPECT_EQ(errorOf(readTolerance(put("case.json", text))),
              at("case.json") + ": expects a 'tolerance' with rtol and atol");
}

} // namespace
