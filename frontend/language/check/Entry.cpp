// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which model or kernel of a description is meant.

#include "frontend/language/check/Checker.h"

using namespace attn::lang;

/// "model 'ViT', kernel 'alibi'"
static std::string list(llvm::ArrayRef<const ModelDecl *> entries) {
  std::string text;
  for (const ModelDecl *entry : entries)
    text += (text.empty() ? "" : ", ") +
            std::string(entry->kernel ? "kernel" : "model") + " '" +
            entry->name + "'";
  return text;
}

const ModelDecl *attn::lang::chooseEntry(const Description &description,
                                         llvm::StringRef model,
                                         llvm::StringRef kernel,
                                         Diagnostics &diagnostics) {
  bool onlyKernels = !kernel.empty();
  llvm::StringRef name = onlyKernels ? kernel : model;
  std::vector<const ModelDecl *> entries;
  std::vector<std::string> names;
  for (const ModelDecl &entry : description.models) {
    if (onlyKernels && !entry.kernel)
      continue;
    if (entry.name == name)
      return &entry;
    entries.push_back(&entry);
    names.push_back(entry.name);
  }
  if (name.empty() && entries.size() == 1)
    return entries.front();
  std::string wanted = onlyKernels ? "kernel" : "model";
  if (entries.empty())
    diagnostics.error("the description has no " + wanted);
  else if (name.empty())
    diagnostics.error("the description has several entries, " + list(entries) +
                      ": name one");
  else {
    std::string hint = suggestion(name, names);
    diagnostics.error("no " + wanted + " '" + name + "'" +
                      (hint.empty() ? "." : hint) + " The description has " +
                      list(entries));
  }
  return nullptr;
}
