// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recursive descent over the grammar of docs/language.md: expressions.

#include "frontend/language/syntax/ParserImpl.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace attn::lang;

namespace {
/// Binary operators, loosest first; all of one level associate to the left.
constexpr llvm::StringLiteral disjunction[] = {"or"}, conjunction[] = {"and"},
                              comparisons[] = {"==", "!=", "<",
                                               "<=", ">",  ">="},
                              sums[] = {"+", "-"}, products[] = {"*", "/", "%"};
constexpr llvm::ArrayRef<llvm::StringLiteral> levels[] = {
    disjunction, conjunction, comparisons, sums, products};
constexpr size_t maxTextBytes = 4096;
} // namespace

ExprPtr Parser::make(Expr::Kind kind, Position position) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->position = position;
  return expr;
}

/// Closes a tree: notes its end and bounds its depth, since chains such as
/// a + a + ... grow deep without nesting.
bool Parser::finish(Expr &expr) {
  expr.end = lastEnd;
  for (const ExprPtr &child : expr.children)
    expr.depth = std::max(expr.depth, child->depth + 1);
  for (const Argument &argument : expr.arguments)
    expr.depth = std::max(expr.depth, argument.value->depth + 1);
  for (const ScanInput &input : expr.inputs)
    for (const ExprPtr *part : {&input.value, &input.axis})
      if (*part)
        expr.depth = std::max(expr.depth, (*part)->depth + 1);
  for (const Subscript &subscript : expr.subscripts)
    for (const ExprPtr *end : {&subscript.low, &subscript.high})
      if (*end)
        expr.depth = std::max(expr.depth, (*end)->depth + 1);
  if (expr.depth <= maxNesting)
    return true;
  if (!failed)
    diagnostics.error(expr.position, "nests deeper than " +
                                         llvm::Twine(maxNesting) + " levels");
  failed = true;
  return false;
}

bool Parser::parseWhole(ExprPtr &out) {
  return parseExpr(out) && (token.kind == Token::End || fail("'}'"));
}

bool Parser::parseExprs(std::vector<ExprPtr> &out) {
  do {
    out.emplace_back();
    if (!parseExpr(out.back()))
      return false;
  } while (accept(","));
  return true;
}

bool Parser::parseExpr(ExprPtr &out) {
  ++nesting;
  bool ok = nest() && parseBinary(out, 0);
  if (ok && token.is("?")) {
    ExprPtr expr = make(Expr::Conditional, out->position);
    advance();
    ExprPtr yes, no;
    ok = parseExpr(yes) && expect(":", "between the values of '?'") &&
         parseExpr(no);
    if (ok) {
      expr->children.push_back(std::move(out));
      expr->children.push_back(std::move(yes));
      expr->children.push_back(std::move(no));
      out = std::move(expr);
      ok = finish(*out);
    }
  }
  --nesting;
  return ok;
}

bool Parser::parseBinary(ExprPtr &out, unsigned level) {
  if (level == std::size(levels))
    return parseUnary(out);
  if (!parseBinary(out, level + 1))
    return false;
  while (true) {
    auto op = std::find_if(levels[level].begin(), levels[level].end(),
                           [&](llvm::StringRef s) { return token.is(s); });
    if (op == levels[level].end())
      return true;
    ExprPtr expr = make(Expr::Binary, token.position);
    expr->name = op->str();
    advance();
    ExprPtr right;
    if (!parseBinary(right, level + 1))
      return false;
    expr->children.push_back(std::move(out));
    expr->children.push_back(std::move(right));
    out = std::move(expr);
    if (!finish(*out))
      return false;
  }
}

bool Parser::parseUnary(ExprPtr &out) {
  if (!token.is("-") && !token.is("not"))
    return parsePower(out);
  ExprPtr expr = make(Expr::Unary, token.position);
  expr->name = token.text.str();
  advance();
  expr->children.emplace_back();
  ++nesting;
  // `not` binds looser than comparisons, the minus sign tighter than products.
  bool ok = nest() && (expr->name == "not" ? parseBinary(expr->children[0], 2)
                                           : parseUnary(expr->children[0]));
  --nesting;
  out = std::move(expr);
  return ok && finish(*out);
}

bool Parser::parsePower(ExprPtr &out) {
  if (!parsePostfix(out))
    return false;
  if (!token.is("^"))
    return true;
  ExprPtr expr = make(Expr::Binary, token.position);
  expr->name = "^";
  advance();
  expr->children.push_back(std::move(out));
  expr->children.emplace_back();
  ++nesting;
  bool ok = nest() && parseUnary(expr->children[1]);
  --nesting;
  out = std::move(expr);
  return ok && finish(*out);
}

bool Parser::parsePostfix(ExprPtr &out) {
  if (!parsePrimary(out))
    return false;
  while (token.is("["))
    if (!parseSubscripts(out))
      return false;
  return true;
}

bool Parser::parseSubscripts(ExprPtr &out) {
  ExprPtr expr = make(Expr::Index, out->position);
  expr->children.push_back(std::move(out));
  advance();
  while (!accept("]")) {
    Subscript subscript;
    if (!token.is(":") && !parseExpr(subscript.low))
      return false;
    subscript.slice = accept(":");
    if (subscript.slice && !token.is(",") && !token.is("]") &&
        !parseExpr(subscript.high))
      return false;
    expr->subscripts.push_back(std::move(subscript));
    if (!token.is("]") && !expect(",", "between indices"))
      return false;
  }
  out = std::move(expr);
  return finish(*out);
}

bool Parser::parsePrimary(ExprPtr &out) {
  Position position = token.position;
  if (token.kind == Token::Integer || token.kind == Token::Float)
    return parseNumber(out);
  if (token.kind == Token::String)
    return parseString(out);
  if (token.is("null") || token.is("true") || token.is("false")) {
    out = make(token.is("null") ? Expr::Null : Expr::Bool, position);
    out->flag = token.is("true");
    advance();
    return finish(*out);
  }
  if (accept("(")) {
    if (!parseExpr(out) || !expect(")", "after the expression"))
      return false;
    return true;
  }
  if (accept("[")) {
    out = make(Expr::List, position);
    while (!accept("]")) {
      out->children.emplace_back();
      if (!parseExpr(out->children.back()))
        return false;
      if (!token.is("]") && !expect(",", "between the values of a list"))
        return false;
    }
    return finish(*out);
  }
  if (atScan())
    return parseScan(out);
  if (token.kind != Token::Name)
    return fail("an expression");
  out = make(Expr::Name, position);
  out->name = token.text.str();
  advance();
  if (accept("(")) {
    out->kind = Expr::Call;
    if (!parseCall(*out))
      return false;
  }
  return finish(*out);
}

bool Parser::parseNumber(ExprPtr &out) {
  out = make(token.kind == Token::Integer ? Expr::Integer : Expr::Float,
             token.position);
  bool bad =
      token.kind == Token::Integer
          ? token.text.getAsInteger(10, out->integer)
          : token.text.getAsDouble(out->real) || !std::isfinite(out->real);
  if (bad) {
    diagnostics.error(token.position, "number '" + token.text.take_front(40) +
                                          "' is out of range");
    failed = true;
    return false;
  }
  advance();
  return finish(*out);
}

/// "text {expression} text": \" \\ \n \{ are the escapes.
bool Parser::parseString(ExprPtr &out) {
  out = make(Expr::String, token.position);
  llvm::StringRef text = token.text;
  unsigned base = token.position.offset + 1;
  auto error = [&](size_t at, const llvm::Twine &message) {
    diagnostics.error({file, unsigned(base + at)}, message);
    failed = true;
    return false;
  };
  if (text.size() > maxTextBytes)
    return error(0, "string has more than 4096 bytes");
  out->text.emplace_back();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (!llvm::StringRef("\"\\n{").contains(next) || !next)
        return error(i, "expects one of \\\" \\\\ \\n \\{ after '\\'");
      out->text.back() += next == 'n' ? '\n' : next;
      ++i;
    } else if (text[i] == '{') {
      size_t close = text.find('}', i);
      if (close == llvm::StringRef::npos)
        return error(i, "expects '}' after '{' in a string");
      Parser inner(diagnostics, file, base + i + 1, base + close, nesting + 1);
      out->children.emplace_back();
      if (!inner.nest() || !inner.parseWhole(out->children.back())) {
        failed = true;
        return false;
      }
      out->text.emplace_back();
      i = close;
    } else {
      out->text.back() += text[i];
    }
  }
  advance();
  return finish(*out);
}

bool Parser::parseCall(Expr &call) {
  while (!accept(")")) {
    Argument argument;
    Token first = token;
    if (!parseExpr(argument.value))
      return false;
    // A lone name followed by '=' was the argument's name.
    if (token.is("=") && argument.value->kind == Expr::Name &&
        first.kind == Token::Name) {
      argument.name = argument.value->name;
      advance();
      if (!parseExpr(argument.value))
        return false;
    } else if (!call.arguments.empty() && !call.arguments.back().name.empty()) {
      diagnostics.error(first.position,
                        "expects named arguments after the first named one");
      failed = true;
      return false;
    }
    call.arguments.push_back(std::move(argument));
    if (!token.is(")") && !expect(",", "between arguments"))
      return false;
  }
  // Only attend takes a program; after other calls '{' opens a body.
  if (call.name != "attend" || !token.is("{"))
    return true;
  call.hasProgram = true;
  return parseBody(call.program, "around the score program");
}

/// `scan` begins a recurrence where a name follows it on its line; elsewhere it
/// is a name like any other.
bool Parser::atScan() const {
  if (token.kind != Token::Name || token.text != "scan")
    return false;
  Token next = Lexer(lexer).next();
  return next.kind == Token::Name && !next.startsLine;
}

/// scan NAME in x [along n], NAME in y [along n] [reversed] { ... }
bool Parser::parseScan(ExprPtr &out) {
  out = make(Expr::Scan, token.position);
  advance();
  do {
    ScanInput input;
    input.position = token.position;
    if (!expectName(input.name, "the name of one step of an input") ||
        !expect("in", "after the name of one step") || !parseExpr(input.value))
      return false;
    if (token.kind == Token::Name && token.text == "along") {
      advance();
      if (!parseExpr(input.axis))
        return false;
    }
    out->inputs.push_back(std::move(input));
  } while (accept(","));
  if (token.kind == Token::Name && token.text == "reversed") {
    out->flag = true;
    advance();
  }
  if (!token.is("{") && token.kind == Token::Name)
    return fail("'along', 'reversed' or '{' in a scan");
  return parseBody(out->program, "around the body of 'scan'") && finish(*out);
}
