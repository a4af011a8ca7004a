// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads the references of the image tests without the code under test.

#pragma once

#include "attn/image.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace attn::test {

inline std::string dataPath(const std::string &name) {
  return std::string(ATTN_IMAGE_TEST_DATA) + "/" + name;
}

inline std::string readBytes(const std::string &name) {
  std::ifstream file(dataPath(name), std::ios::binary);
  EXPECT_TRUE(file) << name;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline std::vector<float> readFloats(const std::string &name) {
  std::string bytes = readBytes(name);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

/// Pixels with their size, as a PPM or PGM file holds them.
struct Pixels {
  int width = 0, height = 0, channels = 0;
  std::vector<uint8_t> samples;

  attn_image asImage() { return {width, height, channels, samples.data()}; }
};

inline Pixels readPnm(const std::string &name) {
  std::string bytes = readBytes(name);
  Pixels pixels;
  char kind = 0;
  int start = 0;
  EXPECT_EQ(std::sscanf(bytes.c_str(), "P%c %d %d 255%n", &kind, &pixels.width,
                        &pixels.height, &start),
            3)
      << name;
  pixels.channels = kind == '6' ? 3 : 1;
  pixels.samples.assign(bytes.begin() + start + 1, bytes.end());
  EXPECT_EQ(pixels.samples.size(),
            size_t(pixels.width) * pixels.height * pixels.channels)
      << name;
  return pixels;
}

/// An attn_image that frees itself.
struct Loaded : attn_image {
  Loaded() : attn_image{} {}
  Loaded(const Loaded &) = delete;
  ~Loaded() { attn_image_free(this); }
};

/// A transform that leaves samples as they are.
inline attn_image_transform plainTransform(int channels) {
  attn_image_transform transform = {};
  transform.channels = channels;
  transform.rescale = 1;
  for (float &std : transform.std)
    std = 1;
  return transform;
}

} // namespace attn::test
