// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Picture files in, pixel_values out; logits in, labels out.

#include "frontend/huggingface/PixelValues.h"

#include "frontend/weights/Message.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <numeric>

using namespace llvm;

namespace attn::hf {
namespace {

/// Frees the pixels that attn_image_load allocated.
struct Picture : attn_image {
  Picture() : attn_image{} {}
  Picture(const Picture &) = delete;
  Picture &operator=(const Picture &) = delete;
  ~Picture() { attn_image_free(this); }
};

Error loadInto(const std::string &file, const attn_image_transform &transform,
               int64_t height, int64_t width, MutableArrayRef<float> out) {
  Picture picture;
  attn_error error = {};
  // Messages of attn_image_load begin with the file's name.
  if (attn_image_load(file.c_str(), transform.channels, &picture, &error) !=
      ATTN_OK)
    return createStringError(Twine(error.message));
  int32_t gotWidth, gotHeight;
  if (attn_image_output_size(&transform, picture.width, picture.height,
                             &gotWidth, &gotHeight, &error) != ATTN_OK)
    return weights::fileError(file, error.message);
  if (gotWidth != width || gotHeight != height)
    return weights::fileError(
        file, "the model takes pictures of " + Twine(width) + " x " +
                  Twine(height) + " pixels, but this one is prepared as " +
                  Twine(gotWidth) + " x " + Twine(gotHeight));
  if (attn_image_preprocess(&transform, &picture, out.data(), out.size(),
                            &error) != ATTN_OK)
    return weights::fileError(file, error.message);
  return Error::success();
}

} // namespace

Expected<weights::Tensor> loadPixelValues(ArrayRef<std::string> files,
                                          const attn_image_transform &transform,
                                          int64_t height, int64_t width) {
  const int64_t shape[] = {static_cast<int64_t>(files.size()),
                           transform.channels, height, width};
  std::optional<uint64_t> count = weights::elementCount(shape);
  if (!count || *count > ATTN_IMAGE_MAX_PIXELS * uint64_t(16))
    return createStringError("pictures take too much memory: " +
                             weights::shapeText(shape) + " numbers");
  std::vector<float> values(*count);
  size_t perPicture = files.empty() ? 0 : values.size() / files.size();
  for (auto [i, file] : enumerate(files))
    if (Error error =
            loadInto(file, transform, height, width,
                     MutableArrayRef(values).slice(i * perPicture, perPicture)))
      return error;
  return weights::Tensor::fromF32(shape, values);
}

std::vector<LabelScore> topLabels(ArrayRef<float> logits,
                                  ArrayRef<std::string> labels, size_t count) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t(0));
  sort(order, [&](size_t a, size_t b) {
    bool noA = std::isnan(logits[a]), noB = std::isnan(logits[b]);
    if (noA != noB)
      return noB;
    if (!noA && logits[a] != logits[b])
      return logits[a] > logits[b];
    return a < b;
  });
  std::vector<LabelScore> result;
  if (order.empty())
    return result;
  double largest = logits[order.front()], sum = 0;
  for (float logit : logits)
    sum += std::exp(logit - largest);
  for (size_t id : ArrayRef(order).take_front(count))
    result.push_back({id,
                      id < labels.size() ? labels[id] : "LABEL_" + utostr(id),
                      std::exp(logits[id] - largest) / sum});
  return result;
}

} // namespace attn::hf
