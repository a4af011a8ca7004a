// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The syntax tree of a description, as written.

#ifndef FRONTEND_LANGUAGE_SYNTAX_AST_H
#define FRONTEND_LANGUAGE_SYNTAX_AST_H

#include "frontend/language/Diagnostics.h"

#include <memory>
#include <optional>

namespace attn::lang {

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using StmtList = std::vector<Stmt>;

/// One argument of a call; `name` is empty for a positional one.
struct Argument {
  std::string name;
  ExprPtr value;
};

/// One entry of x[...]: an index, or a slice whose ends may be absent.
struct Subscript {
  bool slice = false;
  ExprPtr low, high;
};

/// name in value [along axis]
struct ScanInput {
  std::string name;
  Position position;
  ExprPtr value, axis;
};

struct Expr {
  enum Kind {
    Null,        // null
    Bool,        // flag
    Integer,     // integer
    Float,       // real
    String,      // text pieces around children: text[0] child[0] text[1] ...
    Name,        // name
    Unary,       // name = operator
    Binary,      // name = operator
    Conditional, // children = condition, then, else
    Call,        // name(arguments) { program }
    Index,       // children[0][subscripts]
    List,        // [children]
    Scan,        // scan inputs [reversed] { program }; flag = reversed
  };
  Kind kind;
  Position position;
  unsigned end = 0;   // offset after the last character
  unsigned depth = 1; // of this tree; bounded by the parser
  std::string name;
  bool flag = false;
  int64_t integer = 0;
  double real = 0;
  std::vector<std::string> text;
  std::vector<ExprPtr> children;
  std::vector<Argument> arguments;
  std::vector<Subscript> subscripts;
  std::vector<ScanInput> inputs;
  StmtList program; // of attend(...) { ... }, or the body of a scan
  bool hasProgram = false;
};

struct Stmt {
  enum Kind {
    Let,     // let names = value
    Assign,  // names = value
    For,     // for names[0] in value..high [within scope] { body }
    Within,  // within scope { body }
    If,      // if value { body } else { otherwise }
    Return,  // return values
    Require, // require value [, message]
    Scan,    // value, a scan whose outputs nobody names
  };
  Kind kind;
  Position position;
  std::vector<std::string> names;
  ExprPtr value, high, scope;
  std::vector<ExprPtr> values;
  StmtList body, otherwise;
};

/// A config parameter, bound from the configuration or by default.
struct ConfigParam {
  std::string name, path; // path: the object in config.json that holds it
  Position position;
  ExprPtr fallback;
};

struct Global {
  std::string name;
  Position position;
  ExprPtr value;
};

struct BlockParam {
  std::string name;
  Position position;
  ExprPtr fallback;
};

struct BlockDecl {
  std::string name;
  Position position;
  std::vector<BlockParam> params;
  StmtList body;
};

/// f32[batch, hidden_size]
struct TensorType {
  std::string element;
  Position position;
  std::vector<ExprPtr> dims;
};

/// An input or output of a model.
struct Port {
  std::string name;
  Position position;
  TensorType type;
  bool optional = false;
  ExprPtr fallback, below; // `= fallback`, `in 0..below`
};

/// A model, or a kernel: the same without config.json and weights.
struct ModelDecl {
  std::string name;
  Position position;
  bool kernel = false;
  std::vector<Port> inputs, outputs;
  StmtList body;
};

/// Patterns of weight names, of which checkpoints have one or the other.
struct Alias {
  std::string one, other;
};

/// Everything in a file and what it imports.
struct Description {
  std::vector<ConfigParam> config;
  std::vector<Global> globals;
  std::vector<Stmt> requirements;
  std::vector<std::string> ignored;
  std::vector<Alias> aliases;
  std::vector<BlockDecl> blocks;
  std::vector<ModelDecl> models;
};

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_SYNTAX_AST_H
