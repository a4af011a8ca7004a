// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Resizing bit for bit as Pillow does it; crop, rescale and normalise as
// Hugging Face does them.

#include "test/runtime/image/TestData.h"

#include <cmath>
#include <limits>

using namespace attn::test;

namespace {

std::vector<float> preprocess(const attn_image_transform &transform,
                              attn_image image) {
  int32_t width = 0, height = 0;
  attn_error error = {};
  EXPECT_EQ(attn_image_output_size(&transform, image.width, image.height,
                                   &width, &height, &error),
            ATTN_OK)
      << error.message;
  std::vector<float> out(size_t(width) * height * transform.channels,
                         std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(
      attn_image_preprocess(&transform, &image, out.data(), out.size(), &error),
      ATTN_OK)
      << error.message;
  return out;
}

/// Planes of floats, as the interleaved bytes of a reference become without
/// rescaling.
std::vector<float> planes(const Pixels &pixels) {
  std::vector<float> out;
  for (int c = 0; c < pixels.channels; ++c)
    for (size_t i = c; i < pixels.samples.size(); i += pixels.channels)
      out.push_back(pixels.samples[i]);
  return out;
}

void expectResizedAs(Pixels source, int filter, int width, int height,
                     const std::string &reference) {
  attn_image_transform transform = plainTransform(source.channels);
  transform.resize = ATTN_RESIZE_EXACT;
  transform.resize_width = width;
  transform.resize_height = height;
  transform.resample = filter;
  EXPECT_EQ(preprocess(transform, source.asImage()), planes(readPnm(reference)))
      << reference;
}

class Resize : public testing::TestWithParam<attn_resample> {};

TEST_P(Resize, EqualsPillowBitForBit) {
  Pixels source = readPnm("references/source.ppm");
  // Down, up, flat, tall, one axis only, and to a point; columns are resized
  // first in some of them.
  const int sizes[][2] = {{16, 16}, {52, 66}, {50, 9},
                          {7, 64},  {45, 20}, {1, 1}};
  for (auto [width, height] : sizes) {
    std::string name = "references/resized-" + std::to_string(GetParam()) +
                       "-" + std::to_string(width) + "x" +
                       std::to_string(height) + ".ppm";
    expectResizedAs(source, GetParam(), width, height, name);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Filters, Resize,
    testing::Values(ATTN_RESAMPLE_NEAREST, ATTN_RESAMPLE_LANCZOS,
                    ATTN_RESAMPLE_BILINEAR, ATTN_RESAMPLE_BICUBIC,
                    ATTN_RESAMPLE_BOX, ATTN_RESAMPLE_HAMMING));

TEST(Preprocess, ResizesGrey) {
  expectResizedAs(readPnm("references/source.pgm"), ATTN_RESAMPLE_BICUBIC, 19,
                  33, "references/resized-3-19x33.pgm");
}

attn_image_transform imagenet(int edge, int cropWidth, int cropHeight) {
  attn_image_transform transform = plainTransform(3);
  transform.resize = ATTN_RESIZE_SHORTEST_EDGE;
  transform.resize_width = edge;
  transform.resample = ATTN_RESAMPLE_BILINEAR;
  transform.crop_width = cropWidth;
  transform.crop_height = cropHeight;
  transform.rescale = 0.00392156862745098;
  const float mean[] = {0.485f, 0.456f, 0.406f},
              std[] = {0.229f, 0.224f, 0.225f};
  std::copy(mean, mean + 3, transform.mean);
  std::copy(std, std + 3, transform.std);
  return transform;
}

TEST(Preprocess, CropsFromTheCentreAndNormalises) {
  Pixels source = readPnm("references/source.ppm");
  EXPECT_EQ(preprocess(imagenet(24, 18, 20), source.asImage()),
            readFloats("references/preprocessed-crop.f32"));
}

TEST(Preprocess, PadsAPictureThatIsSmallerThanItsCrop) {
  Pixels source = readPnm("references/source.ppm");
  EXPECT_EQ(preprocess(imagenet(20, 22, 31), source.asImage()),
            readFloats("references/preprocessed-pad.f32"));
}

TEST(Preprocess, WithoutResizeKeepsThePixels) {
  Pixels source = readPnm("references/source.ppm");
  EXPECT_EQ(preprocess(plainTransform(3), source.asImage()), planes(source));
}

TEST(Preprocess, PreparesDigitsAsTheModelWasTrainedOnThem) {
  attn_image_transform transform = plainTransform(1);
  transform.resize = ATTN_RESIZE_EXACT;
  transform.resize_width = transform.resize_height = 32;
  transform.resample = ATTN_RESAMPLE_BICUBIC;
  transform.rescale = 0.00392156862745098;
  transform.mean[0] = transform.std[0] = 0.5f;
  for (std::string digit : {"0", "3"}) {
    Loaded image;
    ASSERT_EQ(attn_image_load(dataPath("digits/" + digit + ".png").c_str(), 1,
                              &image, nullptr),
              ATTN_OK);
    std::vector<float> expected = readFloats("digits/" + digit + ".f32");
    std::vector<float> actual = preprocess(transform, image);
    ASSERT_EQ(actual.size(), expected.size());
    // The golden divided by 255 in another order: one rounding of f32 near 1.
    for (size_t i = 0; i < actual.size(); ++i)
      ASSERT_NEAR(actual[i], expected[i], 2.5e-7) << digit << " at " << i;
  }
}

TEST(OutputSize, TruncatesTheLongerSide) {
  attn_image_transform transform = imagenet(224, 0, 0);
  int32_t width = 0, height = 0;
  EXPECT_EQ(
      attn_image_output_size(&transform, 640, 479, &width, &height, nullptr),
      ATTN_OK);
  EXPECT_EQ(width, 299);
  EXPECT_EQ(height, 224);
}

struct BadTransform {
  const char *message;
  void (*spoil)(attn_image_transform &);
};

class Refuse : public testing::TestWithParam<BadTransform> {};

TEST_P(Refuse, WithAMessage) {
  Pixels source = readPnm("references/source.ppm");
  attn_image image = source.asImage();
  attn_image_transform transform = imagenet(24, 18, 20);
  GetParam().spoil(transform);
  std::vector<float> out(3 * 18 * 20, -1.f);
  attn_error error = {};
  EXPECT_EQ(
      attn_image_preprocess(&transform, &image, out.data(), out.size(), &error),
      ATTN_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error.message).find(GetParam().message),
            std::string::npos)
      << error.message;
  EXPECT_EQ(out, std::vector<float>(out.size(), -1.f))
      << "out must be untouched";
}

using T = attn_image_transform;
INSTANTIATE_TEST_SUITE_P(
    Preprocess, Refuse,
    testing::Values(
        BadTransform{"channels must be 1 or 3, but is 2",
                     [](T &t) { t.channels = 2; }},
        BadTransform{"the picture has 3 channels, the transform expects 1",
                     [](T &t) { t.channels = 1; }},
        BadTransform{"unknown resize 9", [](T &t) { t.resize = 9; }},
        BadTransform{"unknown resample 6", [](T &t) { t.resample = 6; }},
        BadTransform{"unknown resample -1", [](T &t) { t.resample = -1; }},
        BadTransform{"resize_width must lie in",
                     [](T &t) { t.resize_width = 0; }},
        BadTransform{"makes the other longer",
                     [](T &t) { t.resize_width = 1 << 20; }},
        BadTransform{"crop must be 0 x 0", [](T &t) { t.crop_height = 0; }},
        BadTransform{"crop must be 0 x 0", [](T &t) { t.crop_width = -4; }},
        BadTransform{"rescale is not finite", [](T &t) { t.rescale = NAN; }},
        BadTransform{"std not zero, but are 0.406 and 0",
                     [](T &t) { t.std[2] = 0; }},
        BadTransform{
            "the result is 3 x 20 x 17 (1020 floats), but out holds 1080",
            [](T &t) { t.crop_width = 17; }}));

} // namespace
