// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parser's state; private to the parser's two sources.

#ifndef FRONTEND_LANGUAGE_SYNTAX_PARSERIMPL_H
#define FRONTEND_LANGUAGE_SYNTAX_PARSERIMPL_H

#include "frontend/language/syntax/Lexer.h"
#include "frontend/language/syntax/Parser.h"

namespace attn::lang {

struct Import {
  std::string name;
  Position position;
};

/// Functions return false after reporting an error; the caller gives up the
/// item it is in, and parseFile goes on with the next.
class Parser {
public:
  Parser(Diagnostics &diagnostics, unsigned file, unsigned begin, unsigned end,
         unsigned nesting);
  void parseFile(Description &out, std::vector<Import> &imports);
  /// One expression that ends where the text ends; for "{...}" in strings.
  bool parseWhole(ExprPtr &out);

private:
  /// Nesting of statements and expressions: bounds recursion here and later.
  static constexpr unsigned maxNesting = 128;

  void advance();
  bool accept(llvm::StringRef text);
  bool fail(const llvm::Twine &expected);
  bool expect(llvm::StringRef text, const llvm::Twine &where);
  bool expectName(std::string &name, const llvm::Twine &what);
  bool nest();
  void recover(bool atItem);

  bool parseItem(Description &out, std::vector<Import> &imports);
  bool parseText(std::string &text, const llvm::Twine &what);
  bool parseAlias(Description &out);
  bool parseConfig(Description &out);
  bool parseBlock(Description &out);
  bool parseModel(Description &out, bool kernel);
  bool atKernel() const;
  bool parsePorts(std::vector<Port> &ports, bool inputs);
  bool parseBound(Port &port);
  bool parseType(TensorType &type);

  bool parseBody(StmtList &body, const llvm::Twine &where);
  bool parseStatement(Stmt &s);
  bool parseNames(std::vector<std::string> &names);
  bool parseFor(Stmt &s);
  bool parseIf(Stmt &s);
  bool parseRequire(Stmt &s);

  bool parseExpr(ExprPtr &out);
  bool parseExprs(std::vector<ExprPtr> &out);
  bool parseBinary(ExprPtr &out, unsigned level);
  bool parseUnary(ExprPtr &out);
  bool parsePower(ExprPtr &out);
  bool parsePostfix(ExprPtr &out);
  bool parseSubscripts(ExprPtr &out);
  bool parsePrimary(ExprPtr &out);
  bool parseNumber(ExprPtr &out);
  bool parseString(ExprPtr &out);
  bool parseCall(Expr &call);
  bool atScan() const;
  bool parseScan(ExprPtr &out);
  ExprPtr make(Expr::Kind kind, Position position);
  bool finish(Expr &expr);

  Diagnostics &diagnostics;
  unsigned file;
  unsigned nesting;
  Lexer lexer;
  Token token;
  unsigned lastEnd = 0;
  bool failed = false;
};

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_SYNTAX_PARSERIMPL_H
