// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// JSON from files that nobody has checked yet.

#ifndef ATTN_FRONTEND_WEIGHTS_JSON_H
#define ATTN_FRONTEND_WEIGHTS_JSON_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <string>

namespace attn::weights {

/// A parsed JSON text that knows where the keys of its top object stand.
struct JsonDocument {
  std::string path;
  llvm::json::Value root = nullptr;
  llvm::StringMap<std::pair<unsigned, unsigned>> lineAndColumn; ///< From 1.

  /// `FILE:LINE:COLUMN` of a key of the top object; `FILE` for other keys.
  std::string where(llvm::StringRef key) const;
};

/// Parses one JSON text. llvm::json recurses and drops repeated keys, so the
/// nesting is bounded and repeated keys are refused before it sees the text.
/// Errors read `PATH:LINE:COLUMN: message`.
llvm::Expected<JsonDocument> parseJson(llvm::StringRef text,
                                       llvm::StringRef path);

/// Reads and parses a file of at most `largest` bytes.
llvm::Expected<JsonDocument> readJson(llvm::StringRef path,
                                      uint64_t largest = 16 << 20);

} // namespace attn::weights

#endif
