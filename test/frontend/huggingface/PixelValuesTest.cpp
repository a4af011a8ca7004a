// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pictures to pixel_values, logits to labels.

#include "frontend/huggingface/PixelValues.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace attn;

namespace {

std::string picture(const std::string &name) {
  return std::string(ATTN_IMAGE_TEST_DATA) + "/" + name;
}

attn_image_transform digits() {
  attn_image_transform transform = {};
  transform.channels = 1;
  transform.rescale = 1. / 255;
  transform.mean[0] = transform.std[0] = 0.5f;
  return transform;
}

TEST(PixelValues, AreABatchInTheOrderOfTheFiles) {
  std::string zero = picture("digits/0.png"), three = picture("digits/3.png");
  auto both = hf::loadPixelValues({zero, three}, digits(), 32, 32);
  auto one = hf::loadPixelValues({three}, digits(), 32, 32);
  ASSERT_TRUE(!!both) << llvm::toString(both.takeError());
  ASSERT_TRUE(!!one) << llvm::toString(one.takeError());
  EXPECT_EQ(both->type, weights::DataType::F32);
  EXPECT_EQ(both->shape, (llvm::SmallVector<int64_t, 4>{2, 1, 32, 32}));
  EXPECT_EQ(both->bytes.drop_front(4096), one->bytes);
  EXPECT_NE(both->bytes.take_front(4096), one->bytes);
}

std::string errorFor(const std::string &file, int64_t height, int64_t width) {
  auto values = hf::loadPixelValues({picture("digits/0.png"), file}, digits(),
                                    height, width);
  return values ? "no error" : llvm::toString(values.takeError());
}

TEST(PixelValues, NameThePictureThatDoesNotFit) {
  std::string other = picture("pictures/grey8.png");
  EXPECT_EQ(errorFor(other, 32, 32),
            other + ": the model takes pictures of 32 x 32 pixels, but this "
                    "one is prepared as 17 x 13");
  EXPECT_EQ(errorFor("absent.png", 32, 32),
            "absent.png: No such file or directory");
}

TEST(TopLabels, AreSortedAndSumToOne) {
  std::vector<std::string> labels = {"cat", "dog", "owl"};
  auto top = hf::topLabels({1.f, 3.f, 2.f, 0.f}, labels, 9);
  ASSERT_EQ(top.size(), 4u);
  EXPECT_EQ(top[0].label, "dog");
  EXPECT_EQ(top[1].label, "owl");
  EXPECT_EQ(top[3].label, "LABEL_3");
  EXPECT_EQ(top[3].id, 3u);
  EXPECT_NEAR(top[0].score,
              1 / (1 + std::exp(-1.) + std::exp(-2.) + std::exp(-3.)), 1e-15);
  EXPECT_NEAR(top[0].score + top[1].score + top[2].score + top[3].score, 1,
              1e-15);
}

TEST(TopLabels, KeepTheFirstOfEqualsAndOnlyAsManyAsAsked) {
  auto top = hf::topLabels({5.f, 7.f, 7.f, 7.f}, {}, 2);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].id, 1u);
  EXPECT_EQ(top[1].id, 2u);
}

TEST(TopLabels, SurviveLargeAndBrokenLogits) {
  EXPECT_NEAR(hf::topLabels({1000.f, 999.f}, {}, 1)[0].score,
              1 / (1 + std::exp(-1.)), 1e-15);
  auto top =
      hf::topLabels({std::numeric_limits<float>::quiet_NaN(), 1.f}, {}, 2);
  EXPECT_EQ(top[0].id, 1u);
  EXPECT_TRUE(std::isnan(top[0].score));
  EXPECT_TRUE(hf::topLabels({}, {}, 3).empty());
}

} // namespace
