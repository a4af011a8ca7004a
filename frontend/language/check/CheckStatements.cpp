// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Statements run when compiling: loops unroll, blocks are inlined.

#include "frontend/language/check/CheckerImpl.h"

using namespace attn::lang;

namespace {
constexpr int64_t maxIterations = 4096;
constexpr size_t maxCalls = 64;
constexpr size_t maxScopeBytes = 512;
} // namespace

Value *Checker::local(const std::string &name) {
  std::vector<std::map<std::string, Value>> &scopes = frames.back().scopes;
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    auto found = scope->find(name);
    if (found != scope->end())
      return &found->second;
  }
  return nullptr;
}

std::string Checker::scoped(const std::string &name) const {
  std::string path;
  for (const std::string &part : scope)
    if (!part.empty())
      path += part + ".";
  path += name;
  // A scope alone ends without a dot.
  if (name.empty() && !path.empty())
    path.pop_back();
  return path;
}

Checker::Flow Checker::execute(const StmtList &body, Value &result) {
  Flow flow = Flow::Next;
  if (++depth > maxDepth) {
    error(body.empty() ? graph->position : body.front().position,
          "nests too deep when run");
    flow = Flow::Failed;
  }
  for (const Stmt &s : body) {
    if (flow != Flow::Next)
      break;
    flow = diagnostics.full() ? Flow::Failed : execute(s, result);
  }
  --depth;
  return flow;
}

Checker::Flow Checker::execute(const Stmt &s, Value &result) {
  switch (s.kind) {
  case Stmt::Let:
  case Stmt::Assign:
    bind(s);
    return Flow::Next;
  case Stmt::For:
    return executeFor(s, result);
  case Stmt::Scan: {
    Value outputs = evaluateScan(*s.value);
    if (outputs.kind != Value::Absent && !outputs.isError())
      error(s.position, "expects a name for what the scan returns: 'let y = "
                        "scan ...'");
    return Flow::Next;
  }
  case Stmt::Within: {
    std::string name;
    return scopeName(*s.scope, name) ? executeScope(s, name, result)
                                     : Flow::Failed;
  }
  case Stmt::If:
    return executeIf(s, result);
  case Stmt::Require:
    require(s);
    return Flow::Next;
  case Stmt::Return: {
    std::vector<Value> values;
    for (const ExprPtr &expr : s.values)
      values.push_back(evaluate(*expr));
    result = values.size() == 1 ? values[0] : Value::list(std::move(values));
    return Flow::Returned;
  }
  }
  return Flow::Failed;
}

bool Checker::scopeName(const Expr &expr, std::string &out) {
  Value value = evaluate(expr);
  if (value.isError())
    return false;
  out = value.text;
  if (value.kind != Value::String)
    mismatch(expr.position, value, "a weight scope in quotes");
  else if (scoped("").size() + out.size() > maxScopeBytes)
    error(expr.position, "weight scope has more than 512 bytes");
  else
    return true;
  return false;
}

Checker::Flow Checker::executeScope(const Stmt &s, const std::string &name,
                                    Value &result) {
  size_t firstAssigned = frames.back().assigned.size();
  scope.push_back(name);
  frames.back().scopes.emplace_back();
  Flow flow = execute(s.body, result);
  frames.back().scopes.pop_back();
  // A loop without a scope of its own is a part of the one around it.
  if (flow == Flow::Next && !name.empty())
    tapAssigned(scoped(""), firstAssigned);
  scope.pop_back();
  return flow;
}

/// Values that a scope assigned are worth comparing with the reference.
void Checker::tapAssigned(const std::string &name, size_t firstAssigned) {
  std::set<std::string> names(frames.back().assigned.begin() + firstAssigned,
                              frames.back().assigned.end());
  // The reference has one value for each name, a scan one for each step.
  if (name.empty() || home)
    return;
  for (const std::string &variable : names) {
    Value *value = local(variable);
    if (!value || value->kind != Value::Tensor ||
        value->node->kind == NodeKind::Input ||
        value->node->kind == NodeKind::Weight || value->node->isConstant() ||
        value->node->type.element != Element::F32)
      continue;
    value->node->taps.push_back(
        uniqueTap(names.size() == 1 ? name : name + "." + variable));
  }
}

/// The name, or where weights are shared and it is taken, the name with the
/// number of times that its scope has been entered.
std::string Checker::uniqueTap(const std::string &name) {
  unsigned &times = taps[name];
  if (++times == 1)
    return name;
  // The counted name may be that of another scope.
  std::string unique;
  do
    unique = name + "." + std::to_string(times);
  while (taps.count(unique) && ++times);
  taps[unique] = 1;
  return unique;
}

/// The ends of a loop; false after an error.
bool Checker::loopRange(const Stmt &s, int64_t &low, int64_t &high) {
  int64_t *out[2] = {&low, &high};
  const Expr *written[2] = {s.value.get(), s.high.get()};
  for (int i : {0, 1}) {
    Value end = evaluate(*written[i]);
    if (end.isError())
      return false;
    std::optional<int64_t> number =
        end.kind == Value::Int ? end.dim.constant() : std::nullopt;
    if (!number) {
      mismatch(written[i]->position, end,
               "a whole number known when compiling");
      return false;
    }
    *out[i] = *number;
  }
  uint64_t count = high > low ? uint64_t(high) - uint64_t(low) : 0;
  if (count > uint64_t(maxIterations)) {
    error(s.position, "loops " + llvm::Twine(count) + " times; at most " +
                          llvm::Twine(maxIterations) + " are unrolled");
    return false;
  }
  return true;
}

Checker::Flow Checker::executeFor(const Stmt &s, Value &result) {
  int64_t low, high;
  if (!loopRange(s, low, high))
    return Flow::Failed;
  for (int64_t i = low; i < high; ++i) {
    frames.back().scopes.emplace_back();
    frames.back().scopes.back()[s.names[0]] = Value::of(Dim(i));
    std::string name;
    Flow flow = s.scope && !scopeName(*s.scope, name)
                    ? Flow::Failed
                    : executeScope(s, name, result);
    frames.back().scopes.pop_back();
    if (flow != Flow::Next)
      return flow;
  }
  return Flow::Next;
}

Checker::Flow Checker::executeIf(const Stmt &s, Value &result) {
  Value condition = evaluate(*s.value);
  if (condition.isError())
    return Flow::Failed;
  if (condition.kind != Value::Bool) {
    mismatch(s.value->position, condition, "a condition known when compiling");
    return Flow::Failed;
  }
  frames.back().scopes.emplace_back();
  Flow flow = execute(condition.flag ? s.body : s.otherwise, result);
  frames.back().scopes.pop_back();
  return flow;
}

bool Checker::bind(const Stmt &s) {
  Value value = evaluate(*s.value);
  if (s.names.size() == 1)
    return bindName(s, s.names[0], std::move(value));
  bool fits = value.kind == Value::List && value.items.size() == s.names.size();
  if (!fits && !value.isError())
    error(s.value->position, "expects " + llvm::Twine(s.names.size()) +
                                 " values, but got " + value.describe());
  bool ok = fits;
  for (size_t i = 0; i < s.names.size(); ++i)
    ok &= bindName(s, s.names[i], fits ? value.items[i] : Value());
  return ok;
}

bool Checker::bindName(const Stmt &s, const std::string &name, Value value) {
  std::map<std::string, Value> &scope = frames.back().scopes.back();
  if (s.kind == Stmt::Let) {
    if (value.kind == Value::Int && value.dim.isConstant())
      value.dim.label = name;
    if (!scope.emplace(name, std::move(value)).second) {
      error(s.position, "'" + name + "' is defined already; '" + name +
                            " = ...' gives it a new value");
      return false;
    }
    return true;
  }
  Value *target = local(name);
  if (!target) {
    error(s.position, "unknown name '" + name + "'" +
                          suggestion(name, visibleNames()) + " 'let " + name +
                          " = ...' defines one");
    return false;
  }
  *target = std::move(value);
  frames.back().assigned.push_back(name);
  return true;
}

//===----------------------------------------------------------------------===//
// Requirements
//===----------------------------------------------------------------------===//

void Checker::require(const Stmt &s) {
  if (requireBound(s))
    return;
  Value value = evaluate(*s.value);
  if (value.isError())
    return;
  if (value.kind != Value::Bool) {
    mismatch(s.value->position, value,
             "a condition known when compiling or the bound of a dimension");
    return;
  }
  if (value.flag)
    return;
  std::string message = "requirement is not met";
  if (!s.values.empty()) {
    Value text = evaluate(*s.values[0]);
    if (text.isError())
      return;
    message = text.kind == Value::String ? text.text : message;
  } else {
    // The values of both sides tell what to change.
    const Expr &e = *s.value;
    if (e.kind == Expr::Binary && e.children.size() == 2 && e.name != "and" &&
        e.name != "or")
      message += ": " + evaluate(*e.children[0]).describe() + " " + e.name +
                 " " + evaluate(*e.children[1]).describe();
  }
  error(s.position, message);
}

/// `sequence <= n` and `sequence < n` bound a dynamic dimension.
bool Checker::requireBound(const Stmt &s) {
  const Expr &e = *s.value;
  if (e.kind != Expr::Binary || (e.name != "<=" && e.name != "<"))
    return false;
  Value left = evaluate(*e.children[0]);
  std::string name = left.kind == Value::Int ? left.dim.symbolName() : "";
  if (name.empty())
    return false;
  Value right = evaluate(*e.children[1]);
  std::optional<int64_t> limit =
      right.kind == Value::Int ? right.dim.constant() : std::nullopt;
  if (!limit) {
    if (!right.isError())
      error(e.children[1]->position,
            "expects a number known when compiling as the bound of '" + name +
                "', but got " + right.describe());
    return true;
  }
  if (e.name == "<")
    --*limit;
  if (*limit < 1) {
    error(s.position, "leaves no size for dimension '" + name + "'");
    return true;
  }
  auto [entry, isNew] = graph->dimMax.emplace(name, *limit);
  entry->second = std::min(entry->second, *limit);
  return true;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

Value Checker::callBlock(const BlockDecl &block, const Expr &call) {
  if (calls.size() >= maxCalls)
    return error(call.position, "blocks call each other deeper than " +
                                    llvm::Twine(maxCalls) + " levels");
  Frame frame;
  std::map<std::string, Value> &params = frame.scopes.back();
  std::vector<std::string> names;
  for (const BlockParam &param : block.params)
    names.push_back(param.name);
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const Argument &argument = call.arguments[i];
    std::string name = argument.name;
    if (name.empty() && i < names.size())
      name = names[i];
    if (name.empty())
      return error(argument.value->position,
                   "block '" + block.name + "' takes " +
                       llvm::Twine(names.size()) + " arguments, but got " +
                       llvm::Twine(call.arguments.size()));
    if (std::find(names.begin(), names.end(), name) == names.end())
      return error(argument.value->position, "block '" + block.name +
                                                 "' has no parameter '" + name +
                                                 "'" + suggestion(name, names));
    if (!params.emplace(name, evaluate(*argument.value)).second)
      return error(argument.value->position,
                   "parameter '" + name + "' is given twice");
  }
  for (const BlockParam &param : block.params)
    if (!params.count(param.name) && !param.fallback)
      return error(call.position, "block '" + block.name +
                                      "' needs an argument for '" + param.name +
                                      "'");
  calls.push_back(call.position);
  frames.push_back(std::move(frame));
  // Defaults see the parameters before them, not the caller's names.
  for (const BlockParam &param : block.params)
    if (!local(param.name)) {
      Value value = evaluate(*param.fallback);
      frames.back().scopes.back().emplace(param.name, std::move(value));
    }
  Value result;
  Flow flow = execute(block.body, result);
  if (flow == Flow::Next)
    error(block.position, "block '" + block.name + "' returns nothing");
  frames.pop_back();
  calls.pop_back();
  return flow == Flow::Returned ? result : Value();
}
