// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The wording of errors about files and the tensors in them.

#include "frontend/weights/Message.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace attn::weights {

// Appends the text, control characters as \xHH.
static void appendEscaped(std::string &result, StringRef text) {
  for (unsigned char c : text) {
    if (c >= 0x20 && c != 0x7f) {
      result += static_cast<char>(c);
      continue;
    }
    result += "\\x";
    result += hexdigit(c >> 4);
    result += hexdigit(c & 15);
  }
}

std::string quoted(StringRef text) {
  constexpr size_t longest = 160;
  std::string result = "'";
  appendEscaped(result, text.take_front(longest));
  return result + (text.size() > longest ? "...'" : "'");
}

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string result = "[";
  for (auto [i, size] : enumerate(shape))
    result += (i ? ", " : "") + std::to_string(size);
  return result + "]";
}

Error fileError(StringRef file, const Twine &message) {
  return createStringError(inconvertibleErrorCode(), file + ": " + message);
}

Error tensorError(StringRef file, StringRef tensor, const Twine &message) {
  return fileError(file, "tensor " + quoted(tensor) + ": " + message);
}

} // namespace attn::weights
