// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The whole way of a picture, on the golden digits: directory, transform, PNG,
// pixel_values.

#include "frontend/huggingface/ModelDirectory.h"
#include "frontend/huggingface/PixelValues.h"
#include "frontend/huggingface/Preprocessor.h"
#include "frontend/weights/Safetensors.h"

#include <gtest/gtest.h>

using namespace attn;

namespace {

template <typename T> T orFail(llvm::Expected<T> value) {
  if (!value)
    throw std::runtime_error(llvm::toString(value.takeError()));
  return std::move(*value);
}

std::vector<float> floats(const weights::Tensor &tensor, uint64_t begin,
                          size_t count) {
  std::vector<float> values(count);
  weights::readAsF32(tensor, begin, values);
  return values;
}

TEST(GoldenDigits, PixelValuesEqualTheTestSplit) {
  std::string folder = ATTNC_GOLDEN_MODELS "/vit-digits";
  hf::ModelDirectory model = orFail(hf::openModelDirectory(folder));
  ASSERT_TRUE(model.preprocessor.has_value());
  attn_image_transform transform = orFail(
      hf::parsePreprocessor(*model.preprocessor, model.preprocessorPath(), 1,
                            model.config.modelType));
  weights::TensorTable split =
      orFail(weights::openSafetensors(folder + "/test.safetensors"));
  const weights::Tensor &images = *split.find("images"),
                        &prepared = *split.find("pixel_values_first8");
  weights::JsonDocument listing =
      orFail(weights::readJson(folder + "/images.json"));

  size_t files = 0, preparedFiles = 0;
  for (const llvm::json::Value &entry : *listing.root.getAsArray()) {
    const llvm::json::Object &picture = *entry.getAsObject();
    std::string file = folder + "/" + picture.getString("file")->str();
    uint64_t index = *picture.getInteger("test_index");
    weights::Tensor values =
        orFail(hf::loadPixelValues({file}, transform, 32, 32));
    std::vector<float> actual = floats(values, 0, 1024),
                       pixels = floats(images, index * 1024, 1024);
    for (size_t i = 0; i < 1024; ++i)
      // f32 rounds 1/255, the product and the difference; all are at most 1.
      ASSERT_NEAR(actual[i], (pixels[i] / 255. - 0.5) / 0.5, 2.5e-7)
          << file << " at " << i;
    ++files;
    if (index >= 8)
      continue;
    std::vector<float> expected = floats(prepared, index * 1024, 1024);
    for (size_t i = 0; i < 1024; ++i)
      ASSERT_NEAR(actual[i], expected[i], 2.5e-7) << file << " at " << i;
    ++preparedFiles;
  }
  EXPECT_EQ(files, 20u);
  EXPECT_GT(preparedFiles, 0u);
}

} // namespace
