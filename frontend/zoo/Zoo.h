// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The descriptions that come with attnc, one for each family of models.

#ifndef FRONTEND_ZOO_ZOO_H
#define FRONTEND_ZOO_ZOO_H

#include "frontend/language/Diagnostics.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <optional>

namespace attn::zoo {

struct Entry {
  llvm::StringLiteral name; // "vit"
  llvm::StringLiteral file; // "vit.attn"
  llvm::StringLiteral text;
};

/// All descriptions of models, sorted by name.
llvm::ArrayRef<Entry> descriptions();

/// Blocks that several descriptions import, sorted by name.
llvm::ArrayRef<Entry> parts();

/// The description for a `model_type` of config.json, if there is one.
std::optional<lang::Source> forModelType(llvm::StringRef modelType);

/// The model types that forModelType knows, sorted.
std::vector<std::string> modelTypes();

/// Gives the descriptions of the zoo to `import "bert.attn"`.
llvm::Expected<lang::Source> importDescription(llvm::StringRef file);

} // namespace attn::zoo

#endif // FRONTEND_ZOO_ZOO_H
