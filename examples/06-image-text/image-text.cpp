// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Says which of several texts describes each of several pictures, with a
// compiled CLIP.
//
//   image-text clip.weights PICTURE... < texts
//
// Each line of the input is a text: token ids with spaces between them, the
// start and end tokens included.

#include "clip.h"

#include <attn/abi.h>
#include <attn/image.h>
#include <attn/pool.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Text = std::vector<int64_t>;

/// All pictures, prepared: count x 3 x side x side.
struct Pictures {
  size_t count, side;
  std::vector<float> pixels;
};

void check(attn_status status, const attn_error &error) {
  if (status != ATTN_OK)
    throw std::runtime_error(error.message);
}

using Model = std::unique_ptr<attn_model, decltype(&clip_close)>;
using Pool = std::unique_ptr<attn_pool, decltype(&attn_pool_destroy)>;

Model openModel(const char *weights) {
  attn_model *model = nullptr;
  attn_error error = {};
  check(clip_open(weights, &model, &error), error);
  return Model(model, clip_close);
}

Pool createPool() {
  attn_pool *pool = nullptr;
  attn_error error = {};
  check(attn_pool_create(0, &pool, &error), error);
  return Pool(pool, attn_pool_destroy);
}

std::vector<Text> readTexts(std::istream &in) {
  std::vector<Text> texts;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Text ids;
    for (int64_t id; words >> id;)
      ids.push_back(id);
    if (!words.eof())
      throw std::runtime_error(
          "expects token ids with spaces between them, but got '" + line + "'");
    if (!ids.empty())
      texts.push_back(std::move(ids));
  }
  if (texts.empty())
    throw std::runtime_error("expects at least one text");
  return texts;
}

/// A size of an input or output, which the library itself tells.
int64_t sizeOf(const attn_tensor_info *tensors, uint32_t count,
               const std::string &name, int dimension) {
  for (uint32_t i = 0; i < count; ++i)
    if (tensors[i].name == name)
      return tensors[i].shape[dimension];
  throw std::logic_error("the model has no " + name);
}

/// How CLIP's preprocessor_config.json prepares pictures, at the model's own
/// size.
attn_image_transform clipTransform(size_t side) {
  attn_image_transform transform = {};
  transform.channels = 3;
  transform.resize = ATTN_RESIZE_SHORTEST_EDGE;
  transform.resize_width = static_cast<int32_t>(side);
  transform.resample = ATTN_RESAMPLE_BICUBIC;
  transform.crop_width = transform.crop_height = static_cast<int32_t>(side);
  transform.rescale = 1.0 / 255;
  const float mean[] = {0.48145466f, 0.4578275f, 0.40821073f};
  const float std[] = {0.26862954f, 0.26130258f, 0.27577711f};
  std::copy(mean, mean + 3, transform.mean);
  std::copy(std, std + 3, transform.std);
  return transform;
}

Pictures readPictures(char **paths, size_t count) {
  const attn_program *program = clip_program();
  size_t side = static_cast<size_t>(
      sizeOf(program->inputs, program->input_count, "pixel_values", 2));
  size_t perPicture = 3 * side * side;
  Pictures pictures = {count, side, std::vector<float>(count * perPicture)};
  const attn_image_transform transform = clipTransform(side);
  for (size_t i = 0; i < count; ++i) {
    attn_error error = {};
    attn_image image;
    check(attn_image_load(paths[i], transform.channels, &image, &error), error);
    attn_status status = attn_image_preprocess(
        &transform, &image, pictures.pixels.data() + i * perPicture, perPicture,
        &error);
    attn_image_free(&image);
    check(status, error);
  }
  return pictures;
}

/// How well each text fits each picture: pictures x texts logits. Texts are
/// padded to the longest; the mask tells which tokens count.
std::vector<float> match(const attn_model *model, const attn_executor &executor,
                         const std::vector<Text> &texts,
                         const Pictures &pictures) {
  size_t length = 0;
  for (const Text &ids : texts)
    length = std::max(length, ids.size());
  std::vector<int64_t> ids(texts.size() * length), mask(texts.size() * length);
  for (size_t i = 0; i < texts.size(); ++i) {
    std::copy(texts[i].begin(), texts[i].end(), ids.begin() + i * length);
    std::fill_n(mask.begin() + i * length, texts[i].size(), 1);
  }

  const attn_program *program = clip_program();
  size_t width = static_cast<size_t>(
      sizeOf(program->outputs, program->output_count, "text_embeds", 1));
  std::vector<float> logits(pictures.count * texts.size()),
      transposed(logits.size());
  std::vector<float> textEmbeddings(texts.size() * width),
      imageEmbeddings(pictures.count * width);
  clip_dims dims = {};
  dims.texts = static_cast<int64_t>(texts.size());
  dims.sequence = static_cast<int64_t>(length);
  dims.images = static_cast<int64_t>(pictures.count);
  clip_inputs inputs = {};
  inputs.input_ids = ids.data();
  inputs.attention_mask = mask.data();
  inputs.pixel_values = pictures.pixels.data();
  clip_outputs outputs = {};
  outputs.logits_per_image = logits.data();
  outputs.logits_per_text = transposed.data();
  outputs.text_embeds = textEmbeddings.data();
  outputs.image_embeds = imageEmbeddings.data();
  attn_error error = {};
  check(clip_call(model, &executor, &dims, &inputs, &outputs, &error), error);
  return logits;
}

/// The best text, and the probability of each.
void print(const char *path, const float *logits, size_t texts) {
  const float *best = std::max_element(logits, logits + texts);
  double sum = 0;
  for (size_t i = 0; i < texts; ++i)
    sum += std::exp(static_cast<double>(logits[i]) - *best);
  std::printf("%s: text %d (", path, static_cast<int>(best - logits) + 1);
  for (size_t i = 0; i < texts; ++i)
    std::printf(i ? ", %.2f %%" : "%.2f %%",
                100 * std::exp(static_cast<double>(logits[i]) - *best) / sum);
  std::printf(")\n");
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: image-text WEIGHTS PICTURE... < TEXTS\n");
    return 2;
  }
  try {
    std::vector<Text> texts = readTexts(std::cin);
    Pictures pictures = readPictures(argv + 2, static_cast<size_t>(argc - 2));
    Pool pool = createPool();
    Model model = openModel(argv[1]);
    std::vector<float> logits =
        match(model.get(), attn_pool_executor(pool.get()), texts, pictures);
    for (size_t i = 0; i < pictures.count; ++i)
      print(argv[2 + i], logits.data() + i * texts.size(), texts.size());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "image-text: %s\n", error.what());
    return 1;
  }
  return 0;
}
