// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns the text of a description into tokens.

#ifndef FRONTEND_LANGUAGE_SYNTAX_LEXER_H
#define FRONTEND_LANGUAGE_SYNTAX_LEXER_H

#include "frontend/language/Diagnostics.h"

namespace attn::lang {

struct Token {
  enum Kind { End, Name, Keyword, Integer, Float, String, Symbol, Invalid };
  Kind kind = End;
  /// The characters of the token; of a string, without its quotes.
  llvm::StringRef text;
  Position position;
  bool startsLine = false;

  bool is(llvm::StringRef keywordOrSymbol) const {
    return (kind == Keyword || kind == Symbol) && text == keywordOrSymbol;
  }
};

/// Reads tokens from [begin, end) of a source; a malformed one is reported
/// and comes back as Invalid.
class Lexer {
public:
  Lexer(Diagnostics &diagnostics, unsigned file, unsigned begin, unsigned end);
  Token next();

private:
  Token make(Token::Kind kind, size_t start);
  Token number(size_t start);
  Token string(size_t start);
  bool skipSpace();

  Diagnostics &diagnostics;
  unsigned file;
  llvm::StringRef text; // up to `end`
  size_t at;
  bool newLine = true;
};

/// How an error message calls a token: "'('", "name 'x'", "end of file".
std::string describe(const Token &token);

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_SYNTAX_LEXER_H
