// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The wording of errors about files and the tensors in them.

#ifndef ATTN_FRONTEND_WEIGHTS_MESSAGE_H
#define ATTN_FRONTEND_WEIGHTS_MESSAGE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace attn::weights {

/// The text in single quotes, control characters escaped and long text cut:
/// names come from files that nobody has checked, and messages reach terminals.
std::string quoted(llvm::StringRef text);

/// A shape as users write it: `[2, 3]`.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// `FILE: MESSAGE`.
llvm::Error fileError(llvm::StringRef file, const llvm::Twine &message);

/// `FILE: tensor 'NAME': MESSAGE`.
llvm::Error tensorError(llvm::StringRef file, llvm::StringRef tensor,
                        const llvm::Twine &message);

} // namespace attn::weights

#endif
