// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tokens: names, numbers, strings, symbols; comments run from // to line end.

#include "frontend/language/syntax/Lexer.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace attn::lang;

static constexpr size_t maxNameBytes = 128;

static bool isKeyword(llvm::StringRef word) {
  return llvm::StringSwitch<bool>(word)
      .Cases({"config", "let", "require", "ignore", "import", "block"}, true)
      .Cases({"model", "optional", "within", "for", "in", "if"}, true)
      .Cases({"else", "return", "and", "or", "not", "true"}, true)
      .Cases({"false", "null", "alias"}, true)
      .Default(false);
}

static bool isNameStart(char c) { return llvm::isAlpha(c) || c == '_'; }
static bool isNamePart(char c) { return llvm::isAlnum(c) || c == '_'; }

Lexer::Lexer(Diagnostics &diagnostics, unsigned file, unsigned begin,
             unsigned end)
    : diagnostics(diagnostics), file(file),
      text(llvm::StringRef(diagnostics.source(file).text).take_front(end)),
      at(begin) {}

Token Lexer::make(Token::Kind kind, size_t start) {
  return {kind, text.slice(start, at), {file, unsigned(start)}, newLine};
}

bool Lexer::skipSpace() {
  bool sawLine = false;
  while (at < text.size()) {
    char c = text[at];
    if (c == '/' && text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      sawLine |= c == '\n';
      ++at;
    } else {
      break;
    }
  }
  return sawLine;
}

Token Lexer::next() {
  newLine = skipSpace() || at == 0;
  size_t start = at;
  if (at >= text.size())
    return make(Token::End, start);
  char c = text[at];
  if (isNameStart(c)) {
    while (at < text.size() && isNamePart(text[at]))
      ++at;
    if (at - start > maxNameBytes) {
      diagnostics.error({file, unsigned(start)},
                        "name has more than 128 bytes");
      return make(Token::Invalid, start);
    }
    bool keyword = isKeyword(text.slice(start, at));
    return make(keyword ? Token::Keyword : Token::Name, start);
  }
  if (llvm::isDigit(c))
    return number(start);
  if (c == '"')
    return string(start);
  for (llvm::StringRef symbol : {"...", "->", "..", "==", "!=", "<=", ">="})
    if (text.substr(at).starts_with(symbol)) {
      at += symbol.size();
      return make(Token::Symbol, start);
    }
  ++at;
  if (llvm::StringRef("(){}[],:;=+-*/%^<>?").contains(c))
    return make(Token::Symbol, start);
  std::string shown = llvm::isPrint(c)
                          ? std::string("'") + c + "'"
                          : "byte 0x" + llvm::utohexstr(uint8_t(c), true, 2);
  diagnostics.error({file, unsigned(start)}, shown + " has no meaning here");
  return make(Token::Invalid, start);
}

Token Lexer::number(size_t start) {
  auto digits = [&] {
    while (at < text.size() && llvm::isDigit(text[at]))
      ++at;
  };
  auto digitAt = [&](size_t i) {
    return i < text.size() && llvm::isDigit(text[i]);
  };
  bool real = false;
  digits();
  // "0..n" is a range, not the number "0.".
  if (at < text.size() && text[at] == '.' && digitAt(at + 1)) {
    real = true;
    ++at;
    digits();
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    size_t sign = at + 1;
    if (sign < text.size() && (text[sign] == '+' || text[sign] == '-'))
      ++sign;
    if (digitAt(sign)) {
      real = true;
      at = sign;
      digits();
    }
  }
  if (at < text.size() && isNamePart(text[at])) {
    while (at < text.size() && isNamePart(text[at]))
      ++at;
    diagnostics.error({file, unsigned(start)},
                      "'" + text.slice(start, at).take_front(40) +
                          "' is neither a number nor a name");
    return make(Token::Invalid, start);
  }
  return make(real ? Token::Float : Token::Integer, start);
}

Token Lexer::string(size_t start) {
  ++at;
  while (at < text.size() && text[at] != '"' && text[at] != '\n')
    at += text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n' ? 2
                                                                           : 1;
  if (at >= text.size() || text[at] != '"') {
    at = std::min(at, text.size());
    diagnostics.error({file, unsigned(start)},
                      "expects a closing '\"' on this line");
    return make(Token::Invalid, start);
  }
  ++at;
  return {Token::String,
          text.slice(start + 1, at - 1),
          {file, unsigned(start)},
          newLine};
}

std::string attn::lang::describe(const Token &token) {
  std::string text = "'" + token.text.take_front(40).str() + "'";
  switch (token.kind) {
  case Token::End:
    return "the end";
  case Token::Name:
    return "name " + text;
  case Token::Integer:
  case Token::Float:
    return "number " + text;
  case Token::String:
    return "string \"" + token.text.take_front(40).str() + "\"";
  case Token::Keyword:
  case Token::Symbol:
  case Token::Invalid:
    return text;
  }
  return text;
}
