// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Picture files in, pixel_values out; logits in, labels out.

#ifndef ATTN_FRONTEND_HUGGINGFACE_PIXELVALUES_H
#define ATTN_FRONTEND_HUGGINGFACE_PIXELVALUES_H

#include "attn/image.h"
#include "frontend/weights/Tensor.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace attn::hf {

/// Reads and prepares pictures: f32 [files, channels, height, width]. All must
/// come out as `height` x `width`, what the model takes. Errors name the file.
llvm::Expected<weights::Tensor>
loadPixelValues(llvm::ArrayRef<std::string> files,
                const attn_image_transform &transform, int64_t height,
                int64_t width);

struct LabelScore {
  size_t id;
  std::string label; ///< LABEL_id where the configuration names none.
  double score;      ///< softmax(logits)[id]
};

/// The `count` likeliest labels of one picture, best first, equal ones by id;
/// all where there are fewer. Labels are Config::labels. Logits that are NaN
/// come last; where any is, or one is infinite, scores are what IEEE says.
std::vector<LabelScore> topLabels(llvm::ArrayRef<float> logits,
                                  llvm::ArrayRef<std::string> labels,
                                  size_t count);

} // namespace attn::hf

#endif
