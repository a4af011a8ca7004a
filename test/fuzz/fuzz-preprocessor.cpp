// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bytes as preprocessor_config.json: an error with text, or a transform that
// attn_image accepts.

#include "frontend/huggingface/Preprocessor.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  for (int channels : {1, 3}) {
    auto transform =
        attn::hf::parsePreprocessor(text, "fuzz.json", channels, "vit");
    if (!transform) {
      if (llvm::toString(transform.takeError()).empty())
        std::abort();
      continue;
    }
    int32_t width, height;
    if (attn_image_output_size(&*transform, 100, 100, &width, &height,
                               nullptr) != ATTN_OK)
      // Two sizes that are fine alone may make too large a result.
      if (int64_t(transform->resize_width) * transform->resize_height <
              ATTN_IMAGE_MAX_PIXELS &&
          int64_t(transform->crop_width) * transform->crop_height <
              ATTN_IMAGE_MAX_PIXELS)
        std::abort();
  }
  return 0;
}
