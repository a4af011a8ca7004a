// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names and arguments in what the built entry does not reach: blocks that
// nothing calls, branches not taken and other entries. Types and shapes are
// known of what runs only.

#include "frontend/language/check/CheckerImpl.h"

using namespace attn::lang;

namespace {

class NameChecker {
public:
  NameChecker(const Description &description, Diagnostics &diagnostics)
      : description(description), diagnostics(diagnostics) {
    scopes.emplace_back();
    for (const ConfigParam &param : description.config)
      define(param.name);
    for (const Global &global : description.globals)
      define(global.name);
  }

  void run() {
    for (const ConfigParam &param : description.config)
      check(param.fallback);
    for (const Global &global : description.globals)
      check(global.value);
    for (const Stmt &s : description.requirements)
      check(s);
    for (const BlockDecl &block : description.blocks)
      checkBlock(block);
    for (const ModelDecl &entry : description.models)
      checkEntry(entry);
  }

private:
  void define(const std::string &name) { scopes.back().insert(name); }
  bool known(const std::string &name) const {
    return llvm::any_of(scopes,
                        [&](const auto &scope) { return scope.count(name); });
  }
  std::vector<std::string> visible() const {
    std::vector<std::string> names;
    for (const auto &scope : scopes)
      names.insert(names.end(), scope.begin(), scope.end());
    return names;
  }

  void checkBlock(const BlockDecl &block);
  void checkEntry(const ModelDecl &entry);
  void checkBody(const StmtList &body,
                 llvm::ArrayRef<std::string> defined = {});
  void check(const Stmt &s);
  void check(const ExprPtr &expr);
  void checkName(const std::string &name, Position position);
  void checkCall(const Expr &call);
  void checkScan(const Expr &scan);
  void checkArguments(const Expr &call, const std::string &who,
                      llvm::ArrayRef<std::string> params,
                      llvm::ArrayRef<bool> optional, size_t positional);
  void checkAttend(const Expr &call);
  void checkBuiltin(const Expr &call, const Builtin &builtin);

  const Description &description;
  Diagnostics &diagnostics;
  std::vector<std::set<std::string>> scopes;
};

} // namespace

void NameChecker::checkBlock(const BlockDecl &block) {
  scopes.emplace_back();
  for (const BlockParam &param : block.params) {
    check(param.fallback);
    define(param.name);
  }
  checkBody(block.body);
  scopes.pop_back();
}

/// Names that the shapes of inputs bring are dynamic dimensions.
void NameChecker::checkEntry(const ModelDecl &entry) {
  scopes.emplace_back();
  for (const Port &input : entry.inputs)
    for (const ExprPtr &dim : input.type.dims)
      if (dim->kind == Expr::Name)
        define(dim->name);
  for (const Port &input : entry.inputs) {
    for (const ExprPtr &dim : input.type.dims)
      check(dim);
    check(input.fallback);
    check(input.below);
    define(input.name);
  }
  for (const Port &output : entry.outputs)
    for (const ExprPtr &dim : output.type.dims)
      check(dim);
  checkBody(entry.body);
  scopes.pop_back();
}

void NameChecker::checkBody(const StmtList &body,
                            llvm::ArrayRef<std::string> defined) {
  scopes.emplace_back(defined.begin(), defined.end());
  for (const Stmt &s : body)
    check(s);
  scopes.pop_back();
}

void NameChecker::check(const Stmt &s) {
  check(s.value);
  check(s.high);
  for (const ExprPtr &value : s.values)
    check(value);
  switch (s.kind) {
  case Stmt::Let:
    for (const std::string &name : s.names)
      define(name);
    break;
  case Stmt::Assign:
    for (const std::string &name : s.names)
      checkName(name, s.position);
    break;
  case Stmt::For:
    // The scope's name may use the loop's.
    scopes.push_back({s.names[0]});
    check(s.scope);
    checkBody(s.body);
    scopes.pop_back();
    break;
  default:
    check(s.scope);
    checkBody(s.body);
    checkBody(s.otherwise);
  }
}

void NameChecker::check(const ExprPtr &expr) {
  if (!expr)
    return;
  if (expr->kind == Expr::Name)
    checkName(expr->name, expr->position);
  for (const ExprPtr &child : expr->children)
    check(child);
  for (const Subscript &subscript : expr->subscripts) {
    check(subscript.low);
    check(subscript.high);
  }
  for (const Argument &argument : expr->arguments)
    check(argument.value);
  if (expr->kind == Expr::Call)
    checkCall(*expr);
  if (expr->kind == Expr::Scan)
    checkScan(*expr);
}

void NameChecker::checkScan(const Expr &scan) {
  std::vector<std::string> names;
  for (const ScanInput &input : scan.inputs) {
    check(input.value);
    check(input.axis);
    names.push_back(input.name);
  }
  checkBody(scan.program, names);
}

void NameChecker::checkName(const std::string &name, Position position) {
  if (!known(name))
    diagnostics.error(position, "unknown name '" + name + "'" +
                                    suggestion(name, visible()));
}

void NameChecker::checkCall(const Expr &call) {
  if (call.name == "attend")
    return checkAttend(call);
  std::vector<std::string> names{"attend"};
  for (const BlockDecl &block : description.blocks) {
    names.push_back(block.name);
    if (block.name != call.name)
      continue;
    std::vector<std::string> params;
    llvm::SmallVector<bool> optional;
    for (const BlockParam &param : block.params) {
      params.push_back(param.name);
      optional.push_back(param.fallback != nullptr);
    }
    return checkArguments(call, "block '" + call.name + "'", params, optional,
                          params.size());
  }
  for (const Builtin &builtin : builtins()) {
    names.push_back(builtin.name.str());
    if (builtin.name == call.name)
      return checkBuiltin(call, builtin);
  }
  diagnostics.error(call.position, "unknown function '" + call.name + "'" +
                                       suggestion(call.name, names));
}

/// Each parameter at most once, and those that are not optional once.
void NameChecker::checkArguments(const Expr &call, const std::string &who,
                                 llvm::ArrayRef<std::string> params,
                                 llvm::ArrayRef<bool> optional,
                                 size_t positional) {
  std::set<std::string> given;
  size_t next = 0;
  for (const Argument &argument : call.arguments) {
    Position at = argument.value->position;
    std::string name = argument.name;
    if (name.empty() && next >= positional)
      return diagnostics.error(at, who + " takes at most " +
                                       llvm::Twine(positional) +
                                       " arguments without a name");
    if (name.empty())
      name = params[next++];
    if (!llvm::is_contained(params, name))
      return diagnostics.error(at, who + " has no parameter '" + name + "'" +
                                       suggestion(name, params));
    if (!given.insert(name).second)
      return diagnostics.error(at, "parameter '" + name + "' is given twice");
  }
  for (auto [param, isOptional] : llvm::zip_equal(params, optional))
    if (!isOptional && !given.count(param))
      return diagnostics.error(call.position,
                               who + " needs an argument for '" + param + "'");
}

void NameChecker::checkBuiltin(const Expr &call, const Builtin &builtin) {
  llvm::SmallVector<llvm::StringRef> written;
  builtin.params.split(written, ' ', -1, false);
  // What takes any number of arguments names only those that follow.
  if (written.front().starts_with("..."))
    return;
  std::vector<std::string> params;
  llvm::SmallVector<bool> optional;
  for (llvm::StringRef param : written) {
    optional.push_back(param.ends_with("?"));
    params.push_back(param.rtrim('?').str());
  }
  checkArguments(call, "'" + call.name + "'", params, optional, params.size());
}

void NameChecker::checkAttend(const Expr &call) {
  std::vector<std::string> params = attendParameters();
  llvm::SmallVector<bool> optional(params.size(), true);
  std::fill_n(optional.begin(), 3, false);
  checkArguments(call, "attend", params, optional, 3);
  std::vector<std::string> names = programNames();
  for (const char *region : {"score", "keep", "weight"})
    names.push_back(region);
  checkBody(call.program, names);
}

void attn::lang::checkNamesEverywhere(const Description &description,
                                      Diagnostics &diagnostics) {
  NameChecker(description, diagnostics).run();
}
