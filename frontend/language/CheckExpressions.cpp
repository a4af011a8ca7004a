// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions: compile-time values are folded, tensors become nodes.

#include "frontend/language/CheckerImpl.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace attn::lang;

namespace {
constexpr unsigned maxSteps = 200000;
constexpr size_t maxListValues = 256;
} // namespace

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value Value::of(bool flag) {
  Value value;
  value.kind = Bool;
  value.flag = flag;
  return value;
}
Value Value::of(Dim dim) {
  Value value;
  value.kind = Int;
  value.dim = std::move(dim);
  return value;
}
Value Value::of(double real) {
  Value value;
  value.kind = Float;
  value.real = real;
  return value;
}
Value Value::of(std::string text) {
  Value value;
  value.kind = String;
  value.text = std::move(text);
  return value;
}
Value Value::of(Node *node) {
  Value value;
  value.kind = node ? Tensor : Error;
  value.node = node;
  return value;
}
Value Value::list(std::vector<Value> items) {
  Value value;
  value.kind = List;
  for (const Value &item : items)
    value.total += item.total;
  value.items = std::move(items);
  return value;
}
Value Value::null() {
  Value value;
  value.kind = Null;
  return value;
}

static std::string formatReal(double real) {
  char text[32];
  snprintf(text, sizeof text, "%g", real);
  return text;
}

std::string Value::describe() const {
  switch (kind) {
  case Error:
  case Absent:
    return "nothing";
  case Null:
    return "null";
  case Bool:
    return flag ? "true" : "false";
  case Int:
    return (dim.isConstant() ? "the number " : "the dimension ") + dim.str();
  case Float:
    return "the number " + formatReal(real);
  case String:
    return "the string \"" + text.substr(0, 60) + "\"";
  case Json:
    return json->getAsArray() ? "a JSON array" : "a JSON object";
  case Tensor:
    return (node->inProgram ? "a value " : "a tensor ") + node->type.str();
  case List:
    return "a list of " + std::to_string(items.size()) + " values";
  }
  return "";
}

std::string ValueType::str() const {
  static const char *const names[] = {"f32", "i64", "bool", "index"};
  std::string text = names[size_t(element)];
  if (shape.empty())
    return text;
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "[") + shape[i].str();
  return text + "]";
}

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
      return error(expr.children[0]->position,
                   "expects a condition known when compiling, but got " +
                       condition.describe() +
                       "; where(condition, a, b) chooses by element");
    return evaluate(*expr.children[condition.flag ? 1 : 2]);
  }
  case Expr::Call:
    return evaluateCall(expr);
  case Expr::Index:
    return evaluateIndex(expr);
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
      return error(expr.children[i]->position,
                   "expects a number or a string inside '{}', but got " +
                       value.describe());
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
  return apply(Function::Not, {value}, expr.position);
}

Value Checker::evaluateBinary(const Expr &expr) {
  if (expr.name == "and" || expr.name == "or")
    return evaluateLogic(expr);
  Value a = evaluate(*expr.children[0]);
  Value b = evaluate(*expr.children[1]);
  if (a.isError() || b.isError())
    return Value();
  if ((expr.name == "==" || expr.name == "!=") && a.kind != Value::Tensor &&
      b.kind != Value::Tensor)
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
  return apply(functionOf(expr.name), {a, b}, expr.position);
}

Value Checker::equality(const Expr &expr, const Value &a, const Value &b) {
  bool equal;
  if (a.isNumber() && b.isNumber()) {
    std::optional<int64_t> x = a.dim.constant(), y = b.dim.constant();
    if (a.kind == Value::Int && b.kind == Value::Int) {
      if ((!x || !y) && !(a.dim == b.dim))
        return error(expr.position, "whether " + a.dim.str() + " equals " +
                                        b.dim.str() +
                                        " is not known when compiling");
      equal = a.dim == b.dim;
    } else {
      if (!x || !y)
        return error(expr.position,
                     "the size of a dynamic dimension is not known when "
                     "compiling");
      equal = (a.kind == Value::Int ? double(*x) : a.real) ==
              (b.kind == Value::Int ? double(*y) : b.real);
    }
  } else if (a.kind != b.kind) {
    equal = false;
  } else if (a.kind == Value::String) {
    equal = a.text == b.text;
  } else if (a.kind == Value::Bool) {
    equal = a.flag == b.flag;
  } else if (a.kind == Value::Null) {
    equal = true;
  } else {
    return error(expr.position,
                 "cannot compare " + a.describe() + " with " + b.describe());
  }
  return Value::of(equal == (expr.name == "=="));
}

/// A function of compile-time values is folded, of tensors becomes a Map.
Value Checker::apply(Function function, std::vector<Value> values,
                     Position position) {
  bool compileTime = true;
  for (const Value &value : values) {
    if (value.isError())
      return Value();
    compileTime &= value.isNumber() || value.kind == Value::Bool;
  }
  if (compileTime) {
    bool numbers =
        llvm::all_of(values, [](const Value &v) { return v.isNumber(); });
    // In a program M and N are dimensions too, but run-time values.
    bool dynamic = llvm::any_of(values, [](const Value &v) {
      return v.kind == Value::Int && !v.dim.isConstant();
    });
    if (numbers && !(dynamic && inProgram()))
      return fold(function, values, position);
  }
  std::vector<Node *> operands;
  for (const Value &value : values) {
    operands.push_back(asNode(value, position));
    if (!operands.back())
      return Value();
  }
  return Value::of(map(function, std::move(operands), position));
}

Value Checker::fold(Function function, const std::vector<Value> &values,
                    Position position) {
  bool integers =
      llvm::all_of(values, [](const Value &v) { return v.kind == Value::Int; });
  if (integers && values.size() == 2 && function <= Function::Max &&
      function != Function::Pow)
    return foldInts(function, values[0].dim, values[1].dim, position);
  if (integers && function >= Function::Eq && function <= Function::Ge)
    return foldInts(function, values[0].dim, values[1].dim, position);
  if (integers && function == Function::Neg)
    return foldInts(Function::Sub, Dim(0), values[0].dim, position);
  std::vector<double> x;
  for (const Value &value : values) {
    std::optional<int64_t> integer = value.dim.constant();
    if (value.kind == Value::Int && !integer)
      return error(position, "the size of dynamic dimension '" +
                                 value.dim.str() +
                                 "' is not known when compiling");
    x.push_back(value.kind == Value::Int ? double(*integer) : value.real);
  }
  x.resize(2);
  double result;
  switch (function) {
  case Function::Add:
    result = x[0] + x[1];
    break;
  case Function::Sub:
    result = x[0] - x[1];
    break;
  case Function::Mul:
    result = x[0] * x[1];
    break;
  case Function::Div:
    result = x[0] / x[1];
    break;
  case Function::Pow:
    result = std::pow(x[0], x[1]);
    break;
  case Function::Min:
    result = std::fmin(x[0], x[1]);
    break;
  case Function::Max:
    result = std::fmax(x[0], x[1]);
    break;
  case Function::Neg:
    result = -x[0];
    break;
  case Function::Abs:
    result = std::fabs(x[0]);
    break;
  case Function::Exp:
    result = std::exp(x[0]);
    break;
  case Function::Log:
    result = std::log(x[0]);
    break;
  case Function::Sqrt:
    result = std::sqrt(x[0]);
    break;
  case Function::Rsqrt:
    result = 1 / std::sqrt(x[0]);
    break;
  case Function::Sin:
    result = std::sin(x[0]);
    break;
  case Function::Cos:
    result = std::cos(x[0]);
    break;
  case Function::Floor:
    result = std::floor(x[0]);
    break;
  case Function::Tanh:
    result = std::tanh(x[0]);
    break;
  case Function::Erf:
    result = std::erf(x[0]);
    break;
  case Function::ToF32:
    result = x[0];
    break;
  case Function::Lt:
    return Value::of(x[0] < x[1]);
  case Function::Le:
    return Value::of(x[0] <= x[1]);
  case Function::Gt:
    return Value::of(x[0] > x[1]);
  case Function::Ge:
    return Value::of(x[0] >= x[1]);
  default:
    return error(position, "takes tensors, not numbers known when compiling");
  }
  if (!std::isfinite(result))
    return error(position, "the result is not a finite number");
  // Powers of whole numbers are whole where a shape can hold them.
  if (function == Function::Pow && integers && x[1] >= 0 &&
      std::fabs(result) < 9e15)
    return Value::of(Dim(int64_t(result)));
  return Value::of(result);
}

Value Checker::foldInts(Function function, const Dim &a, const Dim &b,
                        Position position) {
  std::optional<int64_t> x = a.constant(), y = b.constant();
  std::optional<Dim> result;
  switch (function) {
  case Function::Add:
    result = a.add(b);
    break;
  case Function::Sub:
    result = a.sub(b);
    break;
  case Function::Mul:
    result = a.mul(b);
    break;
  case Function::Div:
    if (y && *y > 0)
      result = a.divide(*y);
    if (!result)
      return error(position,
                   "expects a whole quotient, but got " + a.str() + " / " +
                       b.str() +
                       "; floor_div rounds down, f32 makes a fraction");
    break;
  default:
    if (!x || !y)
      return error(position, "the size of a dynamic dimension is not known "
                             "when compiling");
    break;
  }
  if (result)
    return Value::of(*result);
  switch (function) {
  case Function::Lt:
    return Value::of(*x < *y);
  case Function::Le:
    return Value::of(*x <= *y);
  case Function::Gt:
    return Value::of(*x > *y);
  case Function::Ge:
    return Value::of(*x >= *y);
  case Function::Min:
    return Value::of(Dim(std::min(*x, *y)));
  case Function::Max:
    return Value::of(Dim(std::max(*x, *y)));
  case Function::FloorDiv:
  case Function::Mod: {
    if (*y <= 0)
      return error(position, "expects a positive divisor, but got " + b.str());
    int64_t quotient = *x / *y - (*x % *y < 0);
    return Value::of(
        Dim(function == Function::Mod ? *x - quotient * *y : quotient));
  }
  default:
    return error(position, "the whole number does not fit in 64 bits");
  }
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

//===----------------------------------------------------------------------===//
// x[...]
//===----------------------------------------------------------------------===//

Value Checker::evaluateIndex(const Expr &expr) {
  Value x = evaluate(*expr.children[0]);
  if (x.isError())
    return x;
  if (x.kind == Value::Tensor)
    return inProgram() ? extract(expr, x.node) : indexTensor(expr, x.node);
  if (x.kind == Value::List || (x.kind == Value::Json && x.json->getAsArray()))
    return indexList(expr, x);
  return error(expr.position,
               "expects a tensor or a list before '[', but got " +
                   x.describe());
}

Value Checker::indexList(const Expr &expr, const Value &x) {
  size_t size =
      x.kind == Value::List ? x.items.size() : x.json->getAsArray()->size();
  if (expr.subscripts.size() != 1 || expr.subscripts[0].slice)
    return error(expr.position, "expects one index into a list");
  Value index = evaluate(*expr.subscripts[0].low);
  std::optional<int64_t> i =
      index.kind == Value::Int ? index.dim.constant() : std::nullopt;
  if (index.isError())
    return index;
  if (!i || *i < 0 || uint64_t(*i) >= size)
    return error(expr.subscripts[0].low->position,
                 "expects an index below " + llvm::Twine(size) + ", but got " +
                     index.describe());
  if (x.kind == Value::List)
    return x.items[*i];
  const llvm::json::Value &json = (*x.json->getAsArray())[*i];
  if (std::optional<int64_t> integer = json.getAsInteger())
    return Value::of(Dim(*integer));
  if (std::optional<double> real = json.getAsNumber())
    return Value::of(*real);
  if (std::optional<llvm::StringRef> text = json.getAsString())
    return Value::of(text->str());
  return error(expr.position, "expects a number or a string in the array");
}

/// One entry of x[...]: where it begins, how long it is and whether its
/// dimension goes away.
bool Checker::sliceEnds(const Subscript &subscript, const Expr &expr,
                        const Dim &dim, unsigned axis, Dim &low, Dim &size,
                        bool &drop) {
  drop = !subscript.slice;
  Value ends[2] = {Value::of(Dim(0)), Value::of(dim)};
  const Expr *written[2] = {subscript.low.get(), subscript.high.get()};
  for (int i : {0, 1}) {
    if (!written[i])
      continue;
    ends[i] = evaluate(*written[i]);
    if (ends[i].isError())
      return false;
    if (ends[i].kind != Value::Int) {
      error(written[i]->position,
            "expects a whole number as index, but got " + ends[i].describe());
      return false;
    }
    // Negative indices count from the end.
    std::optional<int64_t> value = ends[i].dim.constant();
    if (value && *value < 0)
      if (std::optional<Dim> fromEnd = dim.add(ends[i].dim))
        ends[i].dim = *fromEnd;
  }
  low = ends[0].dim;
  std::optional<Dim> end = drop ? low.add(Dim(1)) : ends[1].dim;
  std::optional<Dim> length = end ? end->sub(low) : std::nullopt;
  std::optional<int64_t> first = low.constant();
  if (!first || !length) {
    error(expr.position, "a slice that begins at a dynamic position, " +
                             low.str() + ", is not lowered yet");
    return false;
  }
  std::optional<int64_t> count = length->constant();
  std::optional<int64_t> limit = dim.constant();
  bool fits = *end == dim || (limit && atMost(*end, *limit)) ||
              (end->isConstant() && *end->constant() <= 1);
  if (*first < 0 || (count && *count < 1) || !fits) {
    error(expr.position,
          "index " + (drop ? low.str() : low.str() + ":" + end->str()) +
              " reaches outside dimension " + llvm::Twine(axis) + ", " +
              dim.str() +
              (end->isConstant() ? "" : "; a 'require' can bound it"));
    return false;
  }
  size = *length;
  return true;
}

Value Checker::indexTensor(const Expr &expr, Node *x) {
  const ValueType &type = x->type;
  if (expr.subscripts.size() > type.rank())
    return error(expr.position, "has " + llvm::Twine(expr.subscripts.size()) +
                                    " indices for " + type.str());
  ValueType sliced = type;
  std::vector<int64_t> offsets(type.rank(), 0);
  std::vector<Dim> kept;
  for (size_t i = 0; i < type.rank(); ++i) {
    bool drop = false;
    if (i < expr.subscripts.size()) {
      Dim low, size;
      if (!sliceEnds(expr.subscripts[i], expr, type.shape[i], i, low, size,
                     drop))
        return Value();
      offsets[i] = *low.constant();
      if (!(size == type.shape[i]))
        sliced.shape[i] = size;
    }
    if (!drop)
      kept.push_back(sliced.shape[i]);
  }
  Node *result = x;
  if (sliced.shape != type.shape) {
    result = node(NodeKind::Slice, sliced, {x}, expr.position);
    if (result)
      result->integers = offsets;
  }
  if (kept.empty())
    return error(expr.position, "expects at least one dimension to remain");
  return Value::of(result ? reshape(result, kept, expr.position) : nullptr);
}
