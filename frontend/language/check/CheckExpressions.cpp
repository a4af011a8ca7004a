// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions: compile-time values are folded, tensors become nodes.

#include "frontend/language/check/CheckerImpl.h"

#include "llvm/ADT/StringSwitch.h"

using namespace attn::lang;

namespace {
constexpr unsigned maxSteps = 200000;
constexpr size_t maxListValues = 256;
} // namespace

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

Value Checker::evaluate(const Expr &expr) {
  if (++steps > maxSteps) {
    if (steps == maxSteps + 1)
      error(expr.position, "takes more than 200000 steps to unroll");
    return Value();
  }
  if (depth >= maxDepth)
    return error(expr.position, "nests too deep when run");
  ++depth;
  Value value = evaluateKind(expr);
  --depth;
  // Lists of lists would otherwise double with every step.
  if (value.kind == Value::List && value.total > maxListValues)
    return error(expr.position, "makes a list of more than 256 values");
  return value;
}

Value Checker::evaluateKind(const Expr &expr) {
  switch (expr.kind) {
  case Expr::Null:
    return Value::null();
  case Expr::Bool:
    return Value::of(expr.flag);
  case Expr::Integer:
    return Value::of(Dim(expr.integer));
  case Expr::Float:
    return Value::of(expr.real);
  case Expr::String:
    return evaluateString(expr);
  case Expr::Name:
    return evaluateName(expr);
  case Expr::Unary:
    return evaluateUnary(expr);
  case Expr::Binary:
    return evaluateBinary(expr);
  case Expr::Conditional: {
    Value condition = evaluate(*expr.children[0]);
    if (condition.isError())
      return condition;
    if (condition.kind != Value::Bool)
      return mismatch(expr.children[0]->position, condition,
                      "a condition known when compiling (where(condition, a, "
                      "b) chooses by element)");
    return evaluate(*expr.children[condition.flag ? 1 : 2]);
  }
  case Expr::Call:
    return evaluateCall(expr);
  case Expr::Index:
    return evaluateIndex(expr);
  case Expr::Scan: {
    Value outputs = evaluateScan(expr);
    if (outputs.kind == Value::Absent)
      return error(expr.position, "expects a scan that returns what it makes "
                                  "in every step");
    return outputs;
  }
  case Expr::List: {
    std::vector<Value> items;
    for (const ExprPtr &child : expr.children) {
      items.push_back(evaluate(*child));
      if (items.back().isError())
        return Value();
    }
    return Value::list(std::move(items));
  }
  }
  return Value();
}

std::vector<std::string> Checker::visibleNames() const {
  std::vector<std::string> names;
  if (program)
    for (const auto &entry : program->names)
      names.push_back(entry.first);
  for (const auto &scope : frames.back().scopes)
    for (const auto &entry : scope)
      names.push_back(entry.first);
  for (const ConfigParam &param : description.config)
    names.push_back(param.name);
  for (const Global &global : description.globals)
    names.push_back(global.name);
  return names;
}

Value Checker::evaluateName(const Expr &expr) {
  if (program) {
    auto found = program->names.find(expr.name);
    if (found != program->names.end())
      return found->second;
  }
  if (Value *value = local(expr.name))
    return *value;
  bool found;
  Value value = global(expr.name, expr.position, found);
  if (found)
    return value;
  return error(expr.position, "unknown name '" + expr.name + "'" +
                                  suggestion(expr.name, visibleNames()));
}

Value Checker::evaluateString(const Expr &expr) {
  std::string text = expr.text[0];
  for (size_t i = 0; i < expr.children.size(); ++i) {
    Value value = evaluate(*expr.children[i]);
    if (value.isError())
      return value;
    if (value.kind == Value::String)
      text += value.text;
    else if (value.kind == Value::Int && value.dim.isConstant())
      text += std::to_string(*value.dim.constant());
    else
      return mismatch(expr.children[i]->position, value,
                      "a number or a string inside '{}'");
    text += expr.text[i + 1];
    if (text.size() > 4096)
      return error(expr.position, "string has more than 4096 bytes");
  }
  return Value::of(std::move(text));
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

static Function functionOf(llvm::StringRef op) {
  return llvm::StringSwitch<Function>(op)
      .Case("+", Function::Add)
      .Case("-", Function::Sub)
      .Case("*", Function::Mul)
      .Case("/", Function::Div)
      .Case("%", Function::Mod)
      .Case("^", Function::Pow)
      .Case("==", Function::Eq)
      .Case("!=", Function::Ne)
      .Case("<", Function::Lt)
      .Case("<=", Function::Le)
      .Case(">", Function::Gt)
      .Case(">=", Function::Ge)
      .Case("and", Function::And)
      .Default(Function::Or);
}

Value Checker::evaluateUnary(const Expr &expr) {
  Value value = evaluate(*expr.children[0]);
  if (value.isError())
    return value;
  if (expr.name == "-")
    return apply(Function::Neg, {value}, expr.position);
  if (value.kind == Value::Bool)
    return Value::of(!value.flag);
  if (value.kind != Value::Tensor)
    return mismatch(expr.children[0]->position, value, "a condition");
  return apply(Function::Not, {value}, expr.position);
}

Value Checker::evaluateBinary(const Expr &expr) {
  if (expr.name == "and" || expr.name == "or")
    return evaluateLogic(expr);
  Value a = evaluate(*expr.children[0]);
  Value b = evaluate(*expr.children[1]);
  if (a.isError() || b.isError())
    return Value();
  // Elements of a tensor are compared when running, but no tensor is null.
  bool elements = (a.kind == Value::Tensor || b.kind == Value::Tensor) &&
                  a.kind != Value::Null && b.kind != Value::Null;
  if ((expr.name == "==" || expr.name == "!=") && !elements)
    return equality(expr, a, b);
  return apply(functionOf(expr.name), {a, b}, expr.position);
}

/// `and` and `or` look at the right side only where it matters, so that
/// `x != null and x > 3` works.
Value Checker::evaluateLogic(const Expr &expr) {
  Value a = evaluate(*expr.children[0]);
  if (a.isError())
    return a;
  bool isAnd = expr.name == "and";
  if (a.kind == Value::Bool && a.flag != isAnd)
    return a;
  Value b = evaluate(*expr.children[1]);
  if (b.isError() || (a.kind == Value::Bool && b.kind == Value::Bool))
    return b;
  for (auto [value, side] : {std::pair(&a, 0), std::pair(&b, 1)})
    if (value->kind != Value::Bool && value->kind != Value::Tensor)
      return mismatch(expr.children[side]->position, *value, "a condition");
  return apply(functionOf(expr.name), {a, b}, expr.position);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Value Checker::evaluateCall(const Expr &expr) {
  if (expr.name == "attend")
    return inProgram() ? error(expr.position,
                               "attend is not available in a score program")
                       : attend(expr);
  for (const BlockDecl &block : description.blocks)
    if (block.name == expr.name)
      return inProgram() ? error(expr.position,
                                 "blocks are not available in a score program")
                         : callBlock(block, expr);
  for (const Builtin &builtin : builtins())
    if (builtin.name == expr.name) {
      if (inProgram() && !builtin.inPrograms)
        return error(expr.position,
                     "'" + expr.name + "' is not available in a score program");
      return callBuiltin(builtin, expr);
    }
  std::vector<std::string> names{"attend"};
  for (const BlockDecl &block : description.blocks)
    names.push_back(block.name);
  for (const Builtin &builtin : builtins())
    names.push_back(builtin.name.str());
  return error(expr.position, "unknown function '" + expr.name + "'" +
                                  suggestion(expr.name, names));
}

Value Checker::callBuiltin(const Builtin &builtin, const Expr &call) {
  llvm::SmallVector<llvm::StringRef> params;
  builtin.params.split(params, ' ', -1, false);
  Args args{call, builtin, {}, {}, {}};
  bool variadic = params.front().starts_with("...");
  if (variadic)
    params.erase(params.begin());
  args.values.resize(params.size());
  for (Value &value : args.values)
    value.kind = Value::Absent;
  args.positions.resize(params.size(), call.position);
  unsigned next = 0;
  for (const Argument &argument : call.arguments) {
    if (variadic && argument.name.empty()) {
      args.rest.push_back(evaluate(*argument.value));
      if (args.rest.back().isError())
        return Value();
    } else if (!bindArgument(args, argument, next, params)) {
      return Value();
    }
  }
  for (size_t i = 0; i < params.size(); ++i)
    if (args.values[i].kind == Value::Absent && !params[i].ends_with("?"))
      return error(call.position, "'" + call.name +
                                      "' needs an argument for '" + params[i] +
                                      "'");
  return builtin.apply(*this, args);
}

bool Checker::bindArgument(Args &args, const Argument &argument, unsigned &next,
                           llvm::ArrayRef<llvm::StringRef> params) {
  unsigned slot = next;
  std::vector<std::string> names;
  for (llvm::StringRef param : params)
    names.push_back(param.rtrim('?').str());
  if (argument.name.empty()) {
    ++next;
    if (slot >= params.size()) {
      error(argument.value->position,
            "'" + args.call.name + "' takes at most " +
                llvm::Twine(params.size()) + " arguments");
      return false;
    }
  } else {
    slot = std::find(names.begin(), names.end(), argument.name) - names.begin();
    if (slot == names.size()) {
      error(argument.value->position,
            "'" + args.call.name + "' has no parameter '" + argument.name +
                "'" + suggestion(argument.name, names));
      return false;
    }
  }
  if (args.values[slot].kind != Value::Absent) {
    error(argument.value->position,
          "parameter '" + names[slot] + "' is given twice");
    return false;
  }
  args.values[slot] = evaluate(*argument.value);
  args.positions[slot] = argument.value->position;
  // null means "not given" for an optional parameter.
  if (args.values[slot].kind == Value::Null && params[slot].ends_with("?"))
    args.values[slot].kind = Value::Absent;
  return !args.values[slot].isError();
}
