// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Classifies PNG and JPEG pictures of handwritten digits with a compiled Vision
// Transformer.
//
//   classify-digits digits.weights 7.png 3.png ...

#include "digits.h"

#include <attn/image.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int side = 32;
constexpr int classes = 10;

void check(attn_status status, const attn_error &error) {
  if (status != ATTN_OK)
    throw std::runtime_error(error.message);
}

/// What the model's preprocessor_config.json says.
attn_image_transform digitsTransform() {
  attn_image_transform transform = {};
  transform.channels = 1;
  transform.resize = ATTN_RESIZE_EXACT;
  transform.resize_width = side;
  transform.resize_height = side;
  transform.resample = ATTN_RESAMPLE_BICUBIC;
  transform.rescale = 1.0 / 255;
  transform.mean[0] = 0.5f;
  transform.std[0] = 0.5f;
  return transform;
}

/// Writes one picture as the model takes it: side x side floats.
void prepare(const char *path, float *pixels) {
  const attn_image_transform transform = digitsTransform();
  attn_error error = {};
  attn_image image;
  check(attn_image_load(path, transform.channels, &image, &error), error);
  attn_status status =
      attn_image_preprocess(&transform, &image, pixels, side * side, &error);
  attn_image_free(&image);
  check(status, error);
}

using Model = std::unique_ptr<attn_model, decltype(&digits_close)>;

Model openModel(const char *weights) {
  attn_model *model = nullptr;
  attn_error error = {};
  check(digits_open(weights, &model, &error), error);
  return Model(model, digits_close);
}

/// All pictures in one batch: `classes` logits for each.
std::vector<float> classify(const attn_model *model,
                            const std::vector<float> &pixels) {
  digits_dims dims = {};
  dims.batch = static_cast<int64_t>(pixels.size() / (side * side));
  std::vector<float> logits(static_cast<size_t>(dims.batch) * classes);
  digits_inputs inputs = {};
  inputs.pixel_values = pixels.data();
  digits_outputs outputs = {};
  outputs.logits = logits.data();
  attn_error error = {};
  // Without an executor everything runs on this thread.
  check(digits_call(model, nullptr, &dims, &inputs, &outputs, &error), error);
  return logits;
}

void print(const char *path, const float *logits) {
  const float *best = std::max_element(logits, logits + classes);
  double sum = 0;
  for (int i = 0; i < classes; ++i)
    sum += std::exp(static_cast<double>(logits[i]) - *best);
  std::printf("%s: %d (%.1f %%)\n", path, static_cast<int>(best - logits),
              100 / sum);
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: classify-digits WEIGHTS PICTURE...\n");
    return 2;
  }
  try {
    std::vector<float> pixels(static_cast<size_t>(argc - 2) * side * side);
    for (int i = 2; i < argc; ++i)
      prepare(argv[i],
              pixels.data() + static_cast<size_t>(i - 2) * side * side);
    Model model = openModel(argv[1]);
    std::vector<float> logits = classify(model.get(), pixels);
    for (int i = 2; i < argc; ++i)
      print(argv[i], logits.data() + static_cast<size_t>(i - 2) * classes);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "classify-digits: %s\n", error.what());
    return 1;
  }
  return 0;
}
