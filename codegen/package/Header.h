// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C header of a compiled model.

#ifndef ATTN_CODEGEN_PACKAGE_HEADER_H
#define ATTN_CODEGEN_PACKAGE_HEADER_H

#include "codegen/package/Interface.h"

namespace attn::package {

/// The names that C code sees: identifiers, unique within their struct.
struct CNames {
  /// Prefix of all functions and types of the model.
  std::string model;
  std::vector<std::string> dims, inputs, outputs;
};

CNames makeCNames(const ModelInterface &model);

/// `text` as a C and C++ identifier: characters that cannot be in one become
/// '_', a leading digit and reserved words get one.
std::string cIdentifier(llvm::StringRef text);

/// The prefix of a model's C names: an identifier that takes no name of the
/// runtime's or of libc's.
std::string modelIdentifier(llvm::StringRef name);

/// The text of NAME.h: complete in itself, C99 and C++. A model without weights
/// opens without a path.
std::string makeHeader(const ModelInterface &model, bool hasWeights);

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_HEADER_H
