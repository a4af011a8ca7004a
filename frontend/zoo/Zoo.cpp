// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which description serves which model type.

#include "frontend/zoo/Zoo.h"

using namespace attn;
using namespace attn::zoo;

namespace {
/// Model types that share a description with another.
constexpr std::pair<llvm::StringLiteral, llvm::StringLiteral> aliases[] = {
    {"xlm-roberta", "roberta"}};
} // namespace

static lang::Source sourceOf(const Entry &entry) {
  return {entry.file.str(), entry.text.str()};
}

std::optional<lang::Source> zoo::forModelType(llvm::StringRef modelType) {
  llvm::StringRef name = modelType;
  for (const auto &[alias, target] : aliases)
    if (alias == modelType)
      name = target;
  for (const Entry &entry : descriptions())
    if (entry.name == name)
      return sourceOf(entry);
  return std::nullopt;
}

std::vector<std::string> zoo::modelTypes() {
  std::vector<std::string> types;
  for (const Entry &entry : descriptions())
    types.push_back(entry.name.str());
  for (const auto &alias : aliases)
    types.push_back(alias.first.str());
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
