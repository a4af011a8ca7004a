// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The descriptions by model type, and by file for imports.

#include "frontend/zoo/Zoo.h"

using namespace attn;
using namespace attn::zoo;

static lang::Source sourceOf(const Entry &entry) {
  return {entry.file.str(), entry.text.str()};
}

std::optional<lang::Source> zoo::forModelType(llvm::StringRef modelType) {
  for (const Entry &entry : descriptions())
    if (entry.name == modelType)
      return sourceOf(entry);
  return std::nullopt;
}

std::vector<std::string> zoo::modelTypes() {
  std::vector<std::string> types;
  for (const Entry &entry : descriptions())
    types.push_back(entry.name.str());
  llvm::sort(types);
  return types;
}

llvm::Expected<lang::Source> zoo::importDescription(llvm::StringRef file) {
  std::vector<std::string> files;
  for (llvm::ArrayRef<Entry> table : {descriptions(), parts()})
    for (const Entry &entry : table) {
      if (entry.file == file)
        return sourceOf(entry);
      files.push_back(entry.file.str());
    }
  return llvm::createStringError("no description '" + file +
                                 "' comes with attnc" +
                                 lang::suggestion(file, files));
}
