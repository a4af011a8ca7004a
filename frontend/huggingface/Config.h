// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// config.json of a Hugging Face model.

#ifndef ATTN_FRONTEND_HUGGINGFACE_CONFIG_H
#define ATTN_FRONTEND_HUGGINGFACE_CONFIG_H

#include "frontend/weights/Json.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <string>
#include <vector>

namespace attn::hf {

/// A checked config.json. Libraries other than transformers leave out
/// model_type and architectures, which are empty then.
struct Config {
  weights::JsonDocument document; ///< The file as it is, an object.
  /// What a description's parameters bind to: the file's values and, where the
  /// file has labels instead, num_labels.
  llvm::json::Object values;
  std::string modelType;
  std::vector<std::string> architectures;
  std::vector<std::string> labels; ///< id2label in the order of the ids.

  const std::string &path() const { return document.path; }
  /// The class the weights were saved from, `ViTForImageClassification`; empty
  /// where the file names none.
  llvm::StringRef architecture() const {
    return architectures.empty() ? llvm::StringRef() : architectures.front();
  }
  /// `FILE:LINE:COLUMN: MESSAGE` about a key of the file.
  llvm::Error errorAt(llvm::StringRef key, const llvm::Twine &message) const;
  /// `FILE:LINE:COLUMN` of a key, for errors that others find.
  std::function<std::string(llvm::StringRef)> places() const;
};

llvm::Expected<Config> readConfig(llvm::StringRef path);
llvm::Expected<Config> parseConfig(llvm::StringRef text, llvm::StringRef path);

/// The name among `known` (the zoo's descriptions) that the model type bears.
/// The error for any other type lists them.
llvm::Expected<std::string>
chooseDescription(const Config &config, llvm::ArrayRef<std::string> known);

} // namespace attn::hf

#endif
