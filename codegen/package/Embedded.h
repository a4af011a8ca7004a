// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are part of the compiler, embedded when it is built.

#ifndef ATTN_CODEGEN_PACKAGE_EMBEDDED_H
#define ATTN_CODEGEN_PACKAGE_EMBEDDED_H

#include "llvm/ADT/StringRef.h"

namespace attn::package {

/// runtime/include/attn/attn.h.
llvm::StringRef embeddedAttnHeader();

/// The common object of all models, an ELF relocatable file.
llvm::StringRef embeddedRuntimeX86_64();
llvm::StringRef embeddedRuntimeAArch64();

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_EMBEDDED_H
