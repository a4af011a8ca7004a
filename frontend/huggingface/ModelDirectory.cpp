// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model directory as transformers' save_pretrained writes it, but for its
// weights.

#include "frontend/huggingface/ModelDirectory.h"

#include "frontend/weights/File.h"
#include "frontend/weights/Message.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace attn::hf {

static std::string join(StringRef directory, StringRef name) {
  SmallString<256> path(directory);
  sys::path::append(path, name);
  return path.str().str();
}

std::string ModelDirectory::preprocessorPath() const {
  return join(path, "preprocessor_config.json");
}

// The text where the file is there; its meaning is its reader's matter.
static Error readPreprocessor(ModelDirectory &model) {
  constexpr size_t largest = 1 << 20;
  std::string path = model.preprocessorPath();
  if (!sys::fs::exists(path))
    return Error::success();
  auto file = weights::MappedFile::open(path);
  if (!file)
    return file.takeError();
  if ((*file)->bytes().size() > largest)
    return weights::fileError(path, "expects at most " + Twine(largest) +
                                        " bytes, but got " +
                                        Twine((*file)->bytes().size()));
  model.preprocessor = (*file)->text().str();
  return Error::success();
}

Expected<ModelDirectory> openModelDirectory(StringRef path,
                                            StringRef configPath) {
  if (!sys::fs::is_directory(path))
    return weights::fileError(path, "expects a model directory with "
                                    "config.json and model.safetensors");
  auto config = readConfig(configPath.empty() ? join(path, "config.json")
                                              : configPath.str());
  if (!config)
    return config.takeError();
  ModelDirectory model{path.str(), std::move(*config), {}};
  if (Error error = readPreprocessor(model))
    return std::move(error);
  return model;
}

} // namespace attn::hf
