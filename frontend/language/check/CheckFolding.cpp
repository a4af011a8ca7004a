// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of values known when compiling are computed at once.

#include "frontend/language/check/CheckerImpl.h"

#include <cmath>

using namespace attn::lang;

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

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Of numbers known when compiling; no value for what is defined on tensors or
/// on whole numbers alone.
static std::optional<double> foldReals(Function function, double a, double b) {
  switch (function) {
  case Function::Add:
    return a + b;
  case Function::Sub:
    return a - b;
  case Function::Mul:
    return a * b;
  case Function::Div:
    return a / b;
  case Function::Pow:
    return std::pow(a, b);
  case Function::Min:
    return std::fmin(a, b);
  case Function::Max:
    return std::fmax(a, b);
  case Function::Neg:
    return -a;
  case Function::Abs:
    return std::fabs(a);
  case Function::Exp:
    return std::exp(a);
  case Function::Log:
    return std::log(a);
  case Function::Sqrt:
    return std::sqrt(a);
  case Function::Rsqrt:
    return 1 / std::sqrt(a);
  case Function::Sin:
    return std::sin(a);
  case Function::Cos:
    return std::cos(a);
  case Function::Floor:
    return std::floor(a);
  case Function::Tanh:
    return std::tanh(a);
  case Function::Erf:
    return std::erf(a);
  case Function::Sigmoid:
    return sigmoid(a);
  case Function::Relu:
    return std::fmax(a, 0);
  case Function::Silu:
    return a * sigmoid(a);
  case Function::QuickGelu:
    return a * sigmoid(1.702 * a);
  case Function::Gelu:
    return a / 2 * (1 + std::erf(a / std::sqrt(2)));
  case Function::GeluTanh:
    return a / 2 *
           (1 + std::tanh(std::sqrt(M_2_PI) * (a + 0.044715 * a * a * a)));
  case Function::ToF32:
    return a;
  default:
    return std::nullopt;
  }
}

static std::optional<bool> compareReals(Function function, double a, double b) {
  switch (function) {
  case Function::Lt:
    return a < b;
  case Function::Le:
    return a <= b;
  case Function::Gt:
    return a > b;
  case Function::Ge:
    return a >= b;
  default:
    return std::nullopt;
  }
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
  if (std::optional<bool> truth = compareReals(function, x[0], x[1]))
    return Value::of(*truth);
  if (function == Function::ToI64) {
    if (std::fabs(x[0]) < 9e15)
      return Value::of(Dim(int64_t(x[0])));
    return error(position, "the whole number does not fit in 53 bits");
  }
  std::optional<double> result = foldReals(function, x[0], x[1]);
  if (!result) {
    for (const Value &value : values)
      if (value.kind == Value::Float &&
          (function == Function::Mod || function == Function::FloorDiv))
        return mismatch(position, value, "a whole number");
    return error(position, "takes tensors, not numbers known when compiling");
  }
  if (!std::isfinite(*result))
    return error(position, "the result is not a finite number");
  // Powers of whole numbers are whole where a shape can hold them.
  if (function == Function::Pow && integers && x[1] >= 0 &&
      std::fabs(*result) < 9e15)
    return Value::of(Dim(int64_t(*result)));
  return Value::of(*result);
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
