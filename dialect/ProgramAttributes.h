// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of the attributes by which functions with a key and value cache say
// what they and their arguments are for.

#ifndef ATTN_DIALECT_PROGRAMATTRIBUTES_H
#define ATTN_DIALECT_PROGRAMATTRIBUTES_H

#include "llvm/ADT/StringRef.h"

namespace attn {

/// On the function: "step" or "encode".
inline constexpr llvm::StringLiteral kProgramAttr = "attn.program";
/// On an argument: "tokens", "counts", "past", "pages", "cache",
/// "memory_pages" or "memory_lengths"; attn_role in attn/abi.h says what each
/// is.
inline constexpr llvm::StringLiteral kRoleAttr = "attn.role";
/// On "step": how many positions any token sees, its own included; missing
/// where some token sees all.
inline constexpr llvm::StringLiteral kWindowAttr = "attn.window";
/// On "encode": how many positions it writes, a number or the name of a dynamic
/// dimension.
inline constexpr llvm::StringLiteral kMemoryLengthAttr = "attn.memory_length";

} // namespace attn

#endif // ATTN_DIALECT_PROGRAMATTRIBUTES_H
