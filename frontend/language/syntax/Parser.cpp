// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recursive descent over the grammar of docs/language.md: files and statements.

#include "frontend/language/syntax/ParserImpl.h"

using namespace attn::lang;

namespace {
constexpr size_t maxItems = 4096;
} // namespace

Parser::Parser(Diagnostics &diagnostics, unsigned file, unsigned begin,
               unsigned end, unsigned nesting)
    : diagnostics(diagnostics), file(file), nesting(nesting),
      lexer(diagnostics, file, begin, end) {
  token = lexer.next();
}

void Parser::advance() {
  lastEnd = token.position.offset + token.text.size() +
            (token.kind == Token::String ? 2 : 0);
  token = lexer.next();
}

bool Parser::accept(llvm::StringRef text) {
  if (!token.is(text))
    return false;
  advance();
  return true;
}

bool Parser::fail(const llvm::Twine &expected) {
  // The lexer has reported an invalid token itself.
  if (!failed && token.kind != Token::Invalid)
    diagnostics.error(token.position,
                      "expects " + expected + ", but got " + describe(token));
  failed = true;
  return false;
}

bool Parser::expect(llvm::StringRef text, const llvm::Twine &where) {
  return accept(text) || fail("'" + text + "' " + where);
}

bool Parser::expectName(std::string &name, const llvm::Twine &what) {
  if (token.kind != Token::Name)
    return fail(what);
  name = token.text.str();
  advance();
  return true;
}

bool Parser::nest() {
  if (nesting < maxNesting)
    return true;
  if (!failed)
    diagnostics.error(token.position, "nests deeper than " +
                                          llvm::Twine(maxNesting) + " levels");
  failed = true;
  return false;
}

/// After an error: go on at the next line that begins with a keyword.
void Parser::recover(bool atItem) {
  while (token.kind != Token::End) {
    bool item = token.is("config") || token.is("block") || token.is("model") ||
                token.is("import") || token.is("ignore") || token.is("alias") ||
                (atItem && atKernel());
    bool statement = token.is("let") || token.is("return") || token.is("for") ||
                     token.is("within") || token.is("require");
    if (token.startsLine && (item || (!atItem && statement)))
      break;
    if (atItem && token.startsLine && statement &&
        diagnostics.lineColumn(token.position).second == 1)
      break;
    token = lexer.next();
  }
  failed = false;
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

bool Parser::parseBody(StmtList &body, const llvm::Twine &where) {
  if (!expect("{", where))
    return false;
  ++nesting;
  bool ok = nest();
  while (ok && !token.is("}")) {
    if (accept(";"))
      continue;
    if (token.kind == Token::End) {
      ok = fail("'}' " + where);
      break;
    }
    Stmt statement;
    ok = parseStatement(statement);
    if (ok)
      body.push_back(std::move(statement));
  }
  --nesting;
  return ok && expect("}", where);
}

bool Parser::parseStatement(Stmt &s) {
  s.position = token.position;
  if (accept("let")) {
    s.kind = Stmt::Let;
    return parseNames(s.names) && expect("=", "after the name") &&
           parseExpr(s.value);
  }
  if (accept("for"))
    return parseFor(s);
  if (accept("within")) {
    s.kind = Stmt::Within;
    return parseExpr(s.scope) &&
           parseBody(s.body, "around the body of 'within'");
  }
  if (accept("if"))
    return parseIf(s);
  if (accept("return")) {
    s.kind = Stmt::Return;
    return parseExprs(s.values);
  }
  if (accept("require"))
    return parseRequire(s);
  if (atScan()) {
    s.kind = Stmt::Scan;
    return parseScan(s.value);
  }
  if (token.kind != Token::Name)
    return fail("a statement (let, for, within, if, scan, require, return or "
                "an assignment)");
  s.kind = Stmt::Assign;
  return parseNames(s.names) && expect("=", "after the name") &&
         parseExpr(s.value);
}

bool Parser::parseNames(std::vector<std::string> &names) {
  do {
    names.emplace_back();
    if (!expectName(names.back(), "a name"))
      return false;
  } while (accept(","));
  return true;
}

bool Parser::parseFor(Stmt &s) {
  s.kind = Stmt::For;
  s.names.emplace_back();
  if (!expectName(s.names[0], "the loop's name") ||
      !expect("in", "after the loop's name") || !parseExpr(s.value) ||
      !expect("..", "between the ends of the range") || !parseExpr(s.high))
    return false;
  if (accept("within") && !parseExpr(s.scope))
    return false;
  return parseBody(s.body, "around the body of 'for'");
}

bool Parser::parseIf(Stmt &s) {
  s.kind = Stmt::If;
  if (!parseExpr(s.value) || !parseBody(s.body, "around the body of 'if'"))
    return false;
  if (!accept("else"))
    return true;
  if (!token.is("if"))
    return parseBody(s.otherwise, "around the body of 'else'");
  ++nesting;
  Stmt nested;
  nested.position = token.position;
  bool ok = nest() && accept("if") && parseIf(nested);
  --nesting;
  s.otherwise.push_back(std::move(nested));
  return ok;
}

bool Parser::parseRequire(Stmt &s) {
  s.kind = Stmt::Require;
  if (!parseExpr(s.value))
    return false;
  if (!accept(","))
    return true;
  s.values.emplace_back();
  return parseExpr(s.values.back());
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

void Parser::parseFile(Description &out, std::vector<Import> &imports) {
  while (token.kind != Token::End && !diagnostics.full()) {
    if (accept(";"))
      continue;
    if (!parseItem(out, imports))
      recover(/*atItem=*/true);
    size_t items = out.config.size() + out.globals.size() + out.blocks.size() +
                   out.models.size() + out.requirements.size() +
                   out.ignored.size() + out.aliases.size() + imports.size();
    if (items > maxItems) {
      diagnostics.error(token.position, "has more than 4096 items");
      return;
    }
  }
}

bool Parser::parseItem(Description &out, std::vector<Import> &imports) {
  Position position = token.position;
  if (accept("config"))
    return parseConfig(out);
  if (accept("let")) {
    Global global;
    global.position = token.position;
    if (!expectName(global.name, "a name") || !expect("=", "after the name") ||
        !parseExpr(global.value))
      return false;
    out.globals.push_back(std::move(global));
    return true;
  }
  if (accept("require")) {
    Stmt statement;
    statement.position = position;
    if (!parseRequire(statement))
      return false;
    out.requirements.push_back(std::move(statement));
    return true;
  }
  if (accept("ignore"))
    return parseText(out.ignored.emplace_back(), "a pattern of tensor names");
  if (accept("alias"))
    return parseAlias(out);
  if (accept("import")) {
    imports.push_back({"", token.position});
    return parseText(imports.back().name, "the name of a description");
  }
  if (accept("block"))
    return parseBlock(out);
  if (accept("model"))
    return parseModel(out, /*kernel=*/false);
  if (atKernel()) {
    advance();
    return parseModel(out, /*kernel=*/true);
  }
  return fail("config, let, require, ignore, alias, import, block, model or "
              "kernel");
}

/// `kernel` begins an item but is no keyword: sizes of convolutions are called
/// so.
bool Parser::atKernel() const {
  return token.kind == Token::Name && token.text == "kernel";
}

bool Parser::parseText(std::string &text, const llvm::Twine &what) {
  if (token.kind != Token::String)
    return fail(what + " in quotes");
  text = token.text.str();
  advance();
  return true;
}

/// alias "bert.*" = "*"
bool Parser::parseAlias(Description &out) {
  constexpr size_t maxAliases = 16;
  Position position = token.position;
  Alias alias;
  if (!parseText(alias.one, "a pattern of weight names") ||
      !expect("=", "after the pattern") ||
      !parseText(alias.other, "a pattern of weight names"))
    return false;
  size_t stars = llvm::StringRef(alias.one).count('*');
  if (stars > 1 || stars != llvm::StringRef(alias.other).count('*'))
    diagnostics.error(position, "expects one '*' in both patterns, or in none");
  out.aliases.push_back(std::move(alias));
  if (out.aliases.size() == maxAliases + 1)
    diagnostics.error(position,
                      "has more than " + llvm::Twine(maxAliases) + " aliases");
  return true;
}

bool Parser::parseConfig(Description &out) {
  std::string path;
  if (token.kind == Token::String && !parseText(path, "a key"))
    return false;
  if (!expect("{", "around config parameters"))
    return false;
  while (!accept("}")) {
    if (accept(",") || accept(";"))
      continue;
    ConfigParam param;
    param.position = token.position;
    param.path = path;
    if (!expectName(param.name, "the name of a config parameter or '}'"))
      return false;
    if (accept("=") && !parseExpr(param.fallback))
      return false;
    out.config.push_back(std::move(param));
  }
  return true;
}

bool Parser::parseBlock(Description &out) {
  BlockDecl block;
  block.position = token.position;
  if (!expectName(block.name, "the block's name") ||
      !expect("(", "before the block's parameters"))
    return false;
  while (!accept(")")) {
    BlockParam param;
    param.position = token.position;
    if (!expectName(param.name, "the name of a parameter or ')'"))
      return false;
    if (accept("=") && !parseExpr(param.fallback))
      return false;
    block.params.push_back(std::move(param));
    if (!token.is(")") && !expect(",", "between parameters"))
      return false;
  }
  if (!parseBody(block.body, "around the block's body"))
    return false;
  out.blocks.push_back(std::move(block));
  return true;
}

bool Parser::parseModel(Description &out, bool kernel) {
  llvm::StringRef kind = kernel ? "kernel" : "model";
  ModelDecl model;
  model.kernel = kernel;
  model.position = token.position;
  if (!expectName(model.name, "the " + kind + "'s name") ||
      !parsePorts(model.inputs, /*inputs=*/true) ||
      !expect("->", "before the " + kind + "'s outputs") ||
      !parsePorts(model.outputs, /*inputs=*/false) ||
      !parseBody(model.body, "around the " + kind + "'s body"))
    return false;
  out.models.push_back(std::move(model));
  return true;
}

bool Parser::parsePorts(std::vector<Port> &ports, bool inputs) {
  if (!expect("(", inputs ? "before the inputs" : "before the outputs"))
    return false;
  while (!accept(")")) {
    Port port;
    port.optional = inputs && accept("optional");
    port.position = token.position;
    if (!expectName(port.name, inputs ? "the name of an input or ')'"
                                      : "the name of an output or ')'") ||
        !expect(":", "before the type") || !parseType(port.type))
      return false;
    if (inputs && accept("in") && !parseBound(port))
      return false;
    if (port.optional && (!expect("=", "before an optional input's default") ||
                          !parseExpr(port.fallback)))
      return false;
    ports.push_back(std::move(port));
    if (!token.is(")") && !expect(",", "between inputs or outputs"))
      return false;
  }
  return true;
}

bool Parser::parseBound(Port &port) {
  if (token.kind != Token::Integer || token.text != "0")
    return fail("'0..n' after 'in'");
  advance();
  return expect("..", "in the range of an input's values") &&
         parseExpr(port.below);
}

bool Parser::parseType(TensorType &type) {
  type.position = token.position;
  if (token.kind != Token::Name || (token.text != "f32" && token.text != "i64"))
    return fail("an element type, f32 or i64");
  type.element = token.text.str();
  advance();
  if (!expect("[", "before the dimensions"))
    return false;
  while (!accept("]")) {
    type.dims.emplace_back();
    if (!parseExpr(type.dims.back()))
      return false;
    if (!token.is("]") && !expect(",", "between dimensions"))
      return false;
  }
  return true;
}
