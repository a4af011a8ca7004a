// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Objects become what users link: an archive, a shared library or one object.
// All of them contain the common object; none needs a compiler, a linker or
// libc's files on this machine.

#ifndef ATTN_CODEGEN_PACKAGE_LIBRARY_H
#define ATTN_CODEGEN_PACKAGE_LIBRARY_H

#include "codegen/package/Object.h"

namespace attn::package {

/// The common object for an architecture.
llvm::Expected<ObjectFile> commonObject(const TargetSpec &target);

/// Writes an archive of `objects`. Equal input gives equal bytes.
llvm::Error writeArchive(llvm::StringRef path,
                         llvm::ArrayRef<ObjectFile> objects);

/// Links `objects` to a shared library that exports their symbols of default
/// visibility; `soname` is the name programs look for when they start.
llvm::Error linkSharedLibrary(llvm::StringRef path, llvm::StringRef soname,
                              const TargetSpec &target,
                              llvm::ArrayRef<ObjectFile> objects);

/// Links `objects` to one object.
llvm::Error linkObject(llvm::StringRef path, const TargetSpec &target,
                       llvm::ArrayRef<ObjectFile> objects);

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_LIBRARY_H
