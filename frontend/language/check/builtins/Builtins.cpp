// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of built-in functions; reductions, positions and elementwise ones.

#include "frontend/language/check/builtins/BuiltinFunctions.h"

using namespace attn::lang;
using namespace attn::lang::builtin;

namespace {

//===----------------------------------------------------------------------===//
// Reductions and positions
//===----------------------------------------------------------------------===//

Value sum(Checker &c, Args &a) {
  if (c.inProgram())
    return c.programSum(a);
  Node *x = nullptr;
  int64_t axis = 0;
  bool keep = false;
  if (a.values[1].kind == Value::Absent)
    return c.error(a.call.position, "'sum' needs an argument for 'axis'");
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis) ||
      !c.flagArg(a, 2, keep))
    return Value();
  return Value::of(c.reduce(NodeKind::Sum, x, axis, keep, a.call.position));
}

Value mean(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t axis = 0;
  bool keep = false;
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis) ||
      !c.flagArg(a, 2, keep))
    return Value();
  Position at = a.call.position;
  Value total = Value::of(c.reduce(NodeKind::Sum, x, axis, keep, at));
  Value count;
  if (std::optional<int64_t> size = x->type.shape[axis].constant()) {
    count = Value::of(double(*size));
  } else {
    // A size that only a call knows is the sum of as many ones.
    std::vector<Dim> shape(x->type.rank(), Dim(1));
    shape[axis] = x->type.shape[axis];
    Node *ones = c.constant(Element::F32, 1, 1, shape, at);
    count = Value::of(ones ? c.reduce(NodeKind::Sum, ones, axis, keep, at)
                           : nullptr);
  }
  return c.apply(Function::Div, {total, count}, at);
}

Value maximum(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t axis = 0;
  bool keep = false;
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis) ||
      !c.flagArg(a, 2, keep))
    return Value();
  return Value::of(c.reduce(NodeKind::Maximum, x, axis, keep, a.call.position));
}

/// x / max(|x|, eps) along an axis.
Value l2Normalize(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t axis = -1;
  double eps = 1e-12;
  Position at = a.call.position;
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis) ||
      !epsilon(c, a, 2, eps))
    return Value();
  Node *squares = c.map(Function::Mul, {x, x}, at);
  Node *total =
      squares ? c.reduce(NodeKind::Sum, squares, axis, true, at) : nullptr;
  Value length = c.apply(Function::Sqrt, {Value::of(total)}, at);
  Value divisor = c.apply(Function::Max, {length, Value::of(eps)}, at);
  return c.apply(Function::Div, {Value::of(x), divisor}, at);
}

Value cumsum(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t axis = 0;
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis))
    return Value();
  if (x->type.element == Element::Bool)
    return c.error(a.call.position, "expects f32 or i64, but got " +
                                        x->type.str() + "; i64(x) converts");
  Node *result = c.node(NodeKind::CumulativeSum, x->type, {x}, a.call.position);
  if (result)
    result->index = axis;
  return Value::of(result);
}

/// A tensor whose elements are their own coordinate along one axis.
Value iota(Checker &c, Args &a) {
  std::vector<Dim> shape;
  int64_t axis = 0;
  if (!c.shapeArg(a, 0, shape) || !c.axisArg(a, 1, shape.size(), axis))
    return Value();
  Node *result =
      c.node(NodeKind::Iota, {Element::I64, shape}, {}, a.call.position);
  if (result)
    result->index = axis;
  return Value::of(result);
}

Value full(Checker &c, Args &a) {
  std::vector<Dim> shape;
  double value = 0;
  if (!c.shapeArg(a, 0, shape) || !c.realArg(a, 1, value))
    return Value();
  return Value::of(c.constant(Element::F32, value, 0, shape, a.call.position));
}

//===----------------------------------------------------------------------===//
// Elementwise functions
//===----------------------------------------------------------------------===//

template <Function function> Value unary(Checker &c, Args &a) {
  return c.apply(function, {a.values[0]}, a.call.position);
}

template <Function function> Value binary(Checker &c, Args &a) {
  return c.apply(function, {a.values[0], a.values[1]}, a.call.position);
}

Value where(Checker &c, Args &a) {
  return c.apply(Function::Where, a.values, a.call.position);
}

/// The function that a config file names.
Value activation(Checker &c, Args &a) {
  static const std::pair<llvm::StringRef, Function> names[] = {
      {"gelu", Function::Gelu},
      {"gelu_python", Function::Gelu},
      {"gelu_new", Function::GeluTanh},
      {"gelu_fast", Function::GeluTanh},
      {"gelu_tanh", Function::GeluTanh},
      {"gelu_pytorch_tanh", Function::GeluTanh},
      {"gelu_accurate", Function::GeluTanh},
      {"quick_gelu", Function::QuickGelu},
      {"relu", Function::Relu},
      {"silu", Function::Silu},
      {"swish", Function::Silu},
      {"tanh", Function::Tanh},
      {"sigmoid", Function::Sigmoid}};
  std::string name;
  if (!c.textArg(a, 0, name))
    return Value();
  std::string list;
  for (const auto &[known, function] : names) {
    if (known == name)
      return c.apply(function, {a.values[1]}, a.call.position);
    list += (list.empty() ? "" : ", ") + known.str();
  }
  if (name == "linear")
    return a.values[1];
  return c.error(a.positions[0], "unknown activation \"" + name +
                                     "\"; there are " + list + ", linear");
}

Value length(Checker &c, Args &a) {
  const Value &x = a.values[0];
  size_t size;
  if (x.kind == Value::List)
    size = x.items.size();
  else if (x.kind == Value::Json)
    size = x.json->getAsArray() ? x.json->getAsArray()->size()
                                : x.json->getAsObject()->size();
  else
    return c.argError(a, 0, "a list or a JSON object"), Value();
  return Value::of(Dim(int64_t(size)));
}

/// The list with one more value at its end.
Value append(Checker &c, Args &a) {
  if (a.values[0].kind != Value::List)
    return c.argError(a, 0, "a list"), Value();
  std::vector<Value> items = a.values[0].items;
  items.push_back(a.values[1]);
  return a.values[1].isError() ? Value() : Value::list(std::move(items));
}

/// The value under a key of a JSON object of config; null counts as none.
Value get(Checker &c, Args &a) {
  const Value &x = a.values[0];
  const llvm::json::Object *object =
      x.kind == Value::Json ? x.json->getAsObject() : nullptr;
  std::string key;
  if (!object && x.kind != Value::Null)
    return c.argError(a, 0, "a JSON object or null"), Value();
  if (!c.textArg(a, 1, key))
    return Value();
  const llvm::json::Value *value = object ? object->get(key) : nullptr;
  if (value && !value->getAsNull())
    return Value::of(*value, key);
  if (a.call.arguments.size() < 3)
    return c.error(a.call.position, "config key '" + key + "' is missing");
  // Here null is a default, not an argument that is not given.
  Value otherwise = a.values[2];
  if (otherwise.kind == Value::Absent)
    otherwise.kind = Value::Null;
  return otherwise;
}

Value isList(Checker &c, Args &a) {
  return Value::of(
      a.values[0].kind == Value::List ||
      (a.values[0].kind == Value::Json && a.values[0].json->getAsArray()));
}

constexpr Builtin table[] = {
    {"weight", "name shape", false, weight},
    {"linear", "x n name? bias?", false, linear},
    {"layer_norm", "x name? eps? axes? bias?", false, layerNorm},
    {"rms_norm", "x name? eps?", false, rmsNorm},
    {"softmax", "x axis?", false, softmax},
    {"matmul", "a b transpose_b?", false, matmul},
    {"embedding", "ids table", false, embedding},
    {"patch_embed", "x patch n name bias?", false, patchEmbed},
    {"split_heads", "x heads", false, splitHeads},
    {"merge_heads", "x", false, mergeHeads},
    {"reshape", "x shape", false, reshape},
    {"expand", "x shape", false, expand},
    {"transpose", "x order", false, transpose},
    {"concat", "... axis", false, concat},
    {"split", "x parts axis?", false, split},
    {"dim", "x axis", false, dim},
    {"sum", "x axis? keep?", true, sum},
    {"mean", "x axis keep?", false, mean},
    {"max_over", "x axis keep?", false, maximum},
    {"l2_normalize", "x axis? eps?", false, l2Normalize},
    {"cumsum", "x axis", false, cumsum},
    {"iota", "shape axis", false, iota},
    {"full", "shape value", false, full},
    {"where", "condition a b", true, where},
    {"activation", "name x", false, activation},
    {"length", "x", true, length},
    {"is_list", "x", true, isList},
    {"append", "list x", false, append},
    {"get", "object key default?", true, get},
    {"min", "a b", true, binary<Function::Min>},
    {"max", "a b", true, binary<Function::Max>},
    {"floor_div", "a b", true, binary<Function::FloorDiv>},
    {"abs", "x", true, unary<Function::Abs>},
    {"exp", "x", true, unary<Function::Exp>},
    {"log", "x", true, unary<Function::Log>},
    {"sqrt", "x", true, unary<Function::Sqrt>},
    {"rsqrt", "x", true, unary<Function::Rsqrt>},
    {"erf", "x", true, unary<Function::Erf>},
    {"tanh", "x", true, unary<Function::Tanh>},
    {"sigmoid", "x", true, unary<Function::Sigmoid>},
    {"sin", "x", true, unary<Function::Sin>},
    {"cos", "x", true, unary<Function::Cos>},
    {"floor", "x", true, unary<Function::Floor>},
    {"relu", "x", true, unary<Function::Relu>},
    {"silu", "x", true, unary<Function::Silu>},
    {"gelu", "x", true, unary<Function::Gelu>},
    {"gelu_tanh", "x", true, unary<Function::GeluTanh>},
    {"quick_gelu", "x", true, unary<Function::QuickGelu>},
    {"f32", "x", true, unary<Function::ToF32>},
    {"i64", "x", true, unary<Function::ToI64>},
};

} // namespace

llvm::ArrayRef<Builtin> attn::lang::builtins() { return table; }
