// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bytes as a picture: decoding and preparing it ends with a result or an error.

#include "attn/image.h"

#include <cstdlib>
#include <vector>

/// Preparing a large picture only costs time.
static bool looksSmall(const attn_image &image) {
  return int64_t(image.width) * image.height <= 1 << 20;
}

static attn_image_transform transformFrom(const uint8_t *data, size_t size) {
  attn_image_transform transform = {};
  unsigned choice = size ? data[size - 1] : 0;
  transform.channels = choice % 2 ? 1 : 3;
  transform.resize = choice / 2 % 3;
  transform.resample = choice / 6 % 6;
  transform.resize_width = 1 + choice % 37;
  transform.resize_height = 1 + choice % 23;
  transform.crop_width = transform.crop_height = choice % 29;
  transform.rescale = 1. / 255;
  for (float &std : transform.std)
    std = 0.5f;
  return transform;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  attn_image_transform transform = transformFrom(data, size);
  attn_image image;
  attn_error error = {};
  attn_status status =
      attn_image_decode(data, size, transform.channels, &image, &error);
  if (status != ATTN_OK &&
      (image.pixels || error.status != status || !error.message[0]))
    std::abort();
  int32_t width, height;
  if (status == ATTN_OK && looksSmall(image) &&
      attn_image_output_size(&transform, image.width, image.height, &width,
                             &height, nullptr) == ATTN_OK &&
      int64_t(width) * height <= 1 << 20) {
    std::vector<float> out(size_t(width) * height * transform.channels);
    if (attn_image_preprocess(&transform, &image, out.data(), out.size(),
                              nullptr) != ATTN_OK)
      std::abort();
  }
  attn_image_free(&image);
  return 0;
}
