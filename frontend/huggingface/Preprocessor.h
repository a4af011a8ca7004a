// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// preprocessor_config.json: how a vision model wants its pictures.

#ifndef ATTN_FRONTEND_HUGGINGFACE_PREPROCESSOR_H
#define ATTN_FRONTEND_HUGGINGFACE_PREPROCESSOR_H

#include "attn/image.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace attn::hf {

/// What the file asks for. `channels` is the model's num_channels: pictures are
/// to be loaded with as many. A key that is missing has the default of the
/// file's class (image_processor_type); a file that names no class has the one
/// that transformers uses for `modelType`. Keys that would change pixels in a
/// way that attn_image does not know are errors.
llvm::Expected<attn_image_transform>
parsePreprocessor(llvm::StringRef text, llvm::StringRef path, int channels,
                  llvm::StringRef modelType);

} // namespace attn::hf

#endif
