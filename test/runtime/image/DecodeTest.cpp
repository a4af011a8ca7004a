// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reading PNG and JPEG: pixels as Pillow decodes them, and an error for every
// damaged file.

#include "test/runtime/image/TestData.h"

#include <cstdlib>

using namespace attn::test;

namespace {

struct Picture {
  const char *name;
  /// PNG is exact; two versions of libjpeg-turbo may round a sample
  /// differently.
  int tolerance = 0;
};

std::string reference(std::string name, const char *suffix) {
  name.replace(name.find('.'), 1, "-");
  return "references/" + name + suffix;
}

int largestDifference(const attn_image &image, const Pixels &expected) {
  int largest = 0;
  for (size_t i = 0; i < expected.samples.size(); ++i)
    largest = std::max(
        largest, std::abs(int(image.pixels[i]) - int(expected.samples[i])));
  return largest;
}

class DecodePicture : public testing::TestWithParam<Picture> {};

TEST_P(DecodePicture, EqualsPillow) {
  for (int channels : {3, 1}) {
    Pixels expected =
        readPnm(reference(GetParam().name, channels == 3 ? ".ppm" : ".pgm"));
    Loaded image;
    attn_error error = {};
    std::string path = dataPath("pictures/" + std::string(GetParam().name));
    ASSERT_EQ(attn_image_load(path.c_str(), channels, &image, &error), ATTN_OK)
        << error.message;
    ASSERT_EQ(image.width, expected.width);
    ASSERT_EQ(image.height, expected.height);
    ASSERT_EQ(image.channels, expected.channels);
    EXPECT_LE(largestDifference(image, expected), GetParam().tolerance)
        << channels << " channels";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Png, DecodePicture,
    testing::Values(
        Picture{"grey1.png"}, Picture{"grey2.png"}, Picture{"grey4.png"},
        Picture{"grey8.png"}, Picture{"grey16.png"}, Picture{"grey-alpha8.png"},
        Picture{"rgb8.png"}, Picture{"rgb16.png"}, Picture{"rgba8.png"},
        Picture{"palette8.png"}, Picture{"palette4-transparent.png"},
        Picture{"transparent-colour.png"}, Picture{"interlaced.png"}));

INSTANTIATE_TEST_SUITE_P(
    Jpeg, DecodePicture,
    testing::Values(Picture{"photo.jpg", 2}, Picture{"photo444.jpg", 2},
                    Picture{"progressive.jpg", 2}, Picture{"grey.jpg", 2},
                    Picture{"cmyk.jpg", 2}, Picture{"rotated.jpg", 2}));

struct Damage {
  const char *name;
  const char *message;
};

class DecodeDamaged : public testing::TestWithParam<Damage> {};

TEST_P(DecodeDamaged, IsAnErrorThatNamesTheFile) {
  Loaded image;
  attn_error error = {};
  std::string path = dataPath("damaged/" + std::string(GetParam().name));
  EXPECT_EQ(attn_image_load(path.c_str(), 3, &image, &error), ATTN_BAD_FILE);
  EXPECT_EQ(error.status, ATTN_BAD_FILE);
  EXPECT_EQ(image.pixels, nullptr);
  EXPECT_EQ(std::string(error.message).rfind(path + ": ", 0), 0u)
      << error.message;
  EXPECT_NE(std::string(error.message).find(GetParam().message),
            std::string::npos)
      << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Png, DecodeDamaged,
    testing::Values(
        Damage{"bad-crc.png", "CRC"}, Damage{"bad-data.png", "damaged PNG"},
        Damage{"huge.png", "IHDR"},
        Damage{"too-many-pixels.png", "60000 x 60000"},
        Damage{"short-for-size.png", "too short"},
        Damage{"zero-width.png", "IHDR"}, Damage{"zero-height.png", "IHDR"},
        Damage{"no-data.png", "damaged PNG"}, Damage{"bad-depth.png", "IHDR"},
        Damage{"bad-filter.png", "filter"}, Damage{"no-palette.png", "PLTE"},
        Damage{"few-rows.png", "damaged PNG"},
        Damage{"wrong-magic.png", "neither PNG nor JPEG"},
        Damage{"empty.png", "neither PNG nor JPEG (0 bytes)"}));

INSTANTIATE_TEST_SUITE_P(
    Jpeg, DecodeDamaged,
    testing::Values(Damage{"huge.jpg", "65500 x 65500"},
                    Damage{"short-for-size.jpg", "too short"},
                    Damage{"zero-width.jpg", "damaged JPEG"},
                    Damage{"no-quantisation-tables.jpg",
                           "damaged JPEG: Quantization table"},
                    Damage{"only-start.jpg", "damaged JPEG"},
                    Damage{"wrong-magic.jpg", "neither PNG nor JPEG"}));

/// A copy of just the bytes, so that the address sanitizer sees a read past
/// them.
attn_status decodeExactly(const std::string &bytes, size_t size,
                          attn_error *error) {
  std::unique_ptr<char[]> copy(new char[size]);
  std::memcpy(copy.get(), bytes.data(), size);
  Loaded image;
  return attn_image_decode(copy.get(), size, 3, &image, error);
}

TEST(Decode, EveryTruncationIsAnError) {
  for (const char *name : {"pictures/interlaced.png", "pictures/palette8.png",
                           "pictures/photo.jpg", "pictures/progressive.jpg"}) {
    std::string bytes = readBytes(name);
    for (size_t size = 0; size < bytes.size(); ++size) {
      attn_error error = {};
      EXPECT_EQ(decodeExactly(bytes, size, &error), ATTN_BAD_FILE)
          << name << " cut to " << size << " bytes";
      EXPECT_STRNE(error.message, "") << name << " cut to " << size << " bytes";
    }
  }
}

TEST(Decode, EveryFlippedByteIsAPictureOrAnError) {
  for (const char *name :
       {"pictures/interlaced.png", "pictures/palette4-transparent.png",
        "pictures/photo.jpg", "pictures/progressive.jpg",
        "pictures/cmyk.jpg"}) {
    std::string bytes = readBytes(name);
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string damaged = bytes;
      damaged[i] = char(~damaged[i]);
      attn_status status = decodeExactly(damaged, damaged.size(), nullptr);
      EXPECT_TRUE(status == ATTN_OK || status == ATTN_BAD_FILE)
          << name << " byte " << i << " status " << status;
    }
  }
}

TEST(Decode, RefusesChannelsOtherThan1And3) {
  std::string bytes = readBytes("pictures/rgb8.png");
  Loaded image;
  attn_error error = {};
  EXPECT_EQ(attn_image_decode(bytes.data(), bytes.size(), 4, &image, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "channels must be 1 or 3, but is 4");
}

TEST(Load, ReportsWhatCannotBeRead) {
  Loaded image;
  attn_error error = {};
  EXPECT_EQ(attn_image_load("no/such/file.png", 3, &image, &error),
            ATTN_IO_ERROR);
  EXPECT_STREQ(error.message, "no/such/file.png: No such file or directory");
  std::string folder = dataPath("pictures");
  EXPECT_EQ(attn_image_load(folder.c_str(), 3, &image, &error), ATTN_IO_ERROR);
  EXPECT_EQ(error.message, folder + ": not a regular file");
}

} // namespace
