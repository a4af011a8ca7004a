// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C header of a compiled model.

#ifndef ATTN_CODEGEN_PACKAGE_HEADER_H
#define ATTN_CODEGEN_PACKAGE_HEADER_H

#include "codegen/package/Interface.h"

namespace attn::package {

/// The names that C code sees: identifiers, unique within their struct.
struct CNames {
  /// Prefix of the functions and types of one program.
  std::string prefix;
  std::vector<std::string> dims, inputs, outputs;
};

CNames makeCNames(const ModelInterface &model, llvm::StringRef prefix);

/// The prefix of what runs a library's own program: the model's, and behind it
/// "_step" for a program with a cache.
std::string entryPrefix(const ModelInterface &model);

/// `text` as a C and C++ identifier: characters that cannot be in one become
/// '_', a leading digit and reserved words get one.
std::string cIdentifier(llvm::StringRef text);

/// The prefix of a model's C names: an identifier that takes no name of the
/// runtime's or of libc's.
std::string modelIdentifier(llvm::StringRef name);

/// The text of NAME.h: complete in itself, C99 and C++. A model without weights
/// opens without a path. `parts` are further programs of the library.
std::string makeHeader(const ModelInterface &model, bool hasWeights,
                       llvm::ArrayRef<ModelInterface> parts = {});

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_HEADER_H
