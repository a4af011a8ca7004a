// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns the tokens of a description into its syntax tree.

#ifndef FRONTEND_LANGUAGE_SYNTAX_PARSER_H
#define FRONTEND_LANGUAGE_SYNTAX_PARSER_H

#include "frontend/language/syntax/AST.h"
#include "llvm/Support/Error.h"

#include <functional>

namespace attn::lang {

/// Gives the text of an imported description.
using Importer = std::function<llvm::Expected<Source>(llvm::StringRef)>;

/// Parses `source` and, through `importer` (may be empty), what it imports.
/// Errors go to `diagnostics`; what could be parsed is returned anyway.
Description parse(const Source &source, const Importer &importer,
                  Diagnostics &diagnostics);

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_SYNTAX_PARSER_H
