// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The built-in functions and the rules of their shapes.

#include "frontend/language/CheckerImpl.h"

#include <cmath>

using namespace attn::lang;

namespace {

//===----------------------------------------------------------------------===//
// Weights and layers
//===----------------------------------------------------------------------===//

Value weight(Checker &c, Args &a) {
  std::string name;
  std::vector<Dim> shape;
  if (!c.textArg(a, 0, name) || !c.shapeArg(a, 1, shape))
    return Value();
  return Value::of(c.weight(name, shape, a.call.position));
}

/// linear(x, n, "name", bias = true), or linear(x, weight [, bias = tensor]).
Value linear(Checker &c, Args &a) {
  Node *x = nullptr, *w = nullptr, *bias = nullptr;
  if (!c.tensorArg(a, 0, x))
    return Value();
  if (a.values[1].kind == Value::Tensor) {
    if (!c.tensorArg(a, 1, w) || !c.tensorArg(a, 3, bias))
      return Value();
    if (a.values[2].kind != Value::Absent)
      return c.error(a.positions[2],
                     "'linear' takes a name or a weight tensor, "
                     "not both");
    return Value::of(c.linear(x, w, bias, a.call.position));
  }
  Dim n;
  std::string name;
  bool hasBias = true;
  if (!c.dimArg(a, 1, n) || !c.textArg(a, 2, name) || !c.flagArg(a, 3, hasBias))
    return Value();
  if (a.values[2].kind == Value::Absent)
    return c.error(a.call.position, "'linear' needs an argument for 'name'");
  if (x->type.rank() == 0)
    return c.error(a.positions[0], "expects at least one dimension");
  w = c.weight(name + ".weight", {n, x->type.shape.back()}, a.call.position);
  bias = hasBias ? c.weight(name + ".bias", {n}, a.call.position) : nullptr;
  if (!w || (hasBias && !bias))
    return Value();
  return Value::of(c.linear(x, w, bias, a.call.position));
}

bool lastDim(Checker &c, Args &a, Node *x, int64_t axes,
             std::vector<Dim> &shape) {
  if (axes < 1 || size_t(axes) > x->type.rank()) {
    c.error(a.call.position,
            "expects from 1 to " + llvm::Twine(x->type.rank()) + " axes");
    return false;
  }
  shape.assign(x->type.shape.end() - axes, x->type.shape.end());
  for (const Dim &dim : shape)
    if (!dim.isConstant()) {
      c.error(a.call.position, "normalises over dynamic dimension '" +
                                   dim.str() + "', which is not lowered");
      return false;
    }
  return true;
}

bool epsilon(Checker &c, Args &a, unsigned i, double &eps) {
  if (!c.realArg(a, i, eps))
    return false;
  return eps >= 0 || c.argError(a, i, "a number that is not negative");
}

Value layerNorm(Checker &c, Args &a) {
  Node *x = nullptr;
  std::string name;
  double eps = 1e-5;
  int64_t axes = 1;
  bool bias = true;
  std::vector<Dim> shape;
  if (!c.tensorArg(a, 0, x) || !c.textArg(a, 1, name) ||
      !epsilon(c, a, 2, eps) || !c.intArg(a, 3, axes) ||
      !c.flagArg(a, 4, bias) || !lastDim(c, a, x, axes, shape) ||
      !c.floatTensor(x, "x", a.call.position))
    return Value();
  std::vector<Node *> operands{x};
  if (a.values[1].kind != Value::Absent) {
    operands.push_back(c.weight(name + ".weight", shape, a.call.position));
    if (bias)
      operands.push_back(c.weight(name + ".bias", shape, a.call.position));
    if (!operands[1] || !operands.back())
      return Value();
  }
  Node *result =
      c.node(NodeKind::LayerNorm, x->type, operands, a.call.position);
  if (result) {
    result->real = eps;
    result->index = axes;
  }
  return Value::of(result);
}

Value rmsNorm(Checker &c, Args &a) {
  Node *x = nullptr;
  std::string name;
  double eps = 1e-6;
  std::vector<Dim> shape;
  if (!c.tensorArg(a, 0, x) || !c.textArg(a, 1, name) ||
      !epsilon(c, a, 2, eps) || !lastDim(c, a, x, 1, shape) ||
      !c.floatTensor(x, "x", a.call.position))
    return Value();
  std::vector<Node *> operands{x};
  if (a.values[1].kind != Value::Absent) {
    operands.push_back(c.weight(name + ".weight", shape, a.call.position));
    if (!operands[1])
      return Value();
  }
  Node *result = c.node(NodeKind::RmsNorm, x->type, operands, a.call.position);
  if (result)
    result->real = eps;
  return Value::of(result);
}

Value softmax(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t axis = -1;
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis) ||
      !c.floatTensor(x, "x", a.call.position))
    return Value();
  Node *result = c.node(NodeKind::Softmax, x->type, {x}, a.call.position);
  if (result)
    result->index = axis;
  return Value::of(result);
}

Value matmul(Checker &c, Args &a) {
  Node *x = nullptr, *y = nullptr;
  bool transposed = false;
  if (!c.tensorArg(a, 0, x) || !c.tensorArg(a, 1, y) ||
      !c.flagArg(a, 2, transposed) || !c.floatTensor(x, "a", a.call.position) ||
      !c.floatTensor(y, "b", a.call.position))
    return Value();
  size_t rank = x->type.rank();
  bool fits = rank >= 2 && y->type.rank() == rank;
  for (size_t i = 0; fits && i + 2 < rank; ++i)
    fits = x->type.shape[i] == y->type.shape[i];
  fits = fits && x->type.shape[rank - 1] ==
                     y->type.shape[transposed ? rank - 1 : rank - 2];
  if (!fits)
    return c.error(a.call.position,
                   "expects [..., m, k] and [..., " +
                       llvm::StringRef(transposed ? "n, k" : "k, n") +
                       "] with equal leading dimensions, but got " +
                       x->type.str() + " and " + y->type.str());
  ValueType type = x->type;
  type.shape.back() = y->type.shape[transposed ? rank - 2 : rank - 1];
  Node *result = c.node(NodeKind::Matmul, type, {x, y}, a.call.position);
  if (result)
    result->flag = transposed;
  return Value::of(result);
}

Value embedding(Checker &c, Args &a) {
  Node *ids = nullptr, *table = nullptr;
  if (!c.tensorArg(a, 0, ids) || !c.tensorArg(a, 1, table))
    return Value();
  if (ids->type.element != Element::I64 || table->type.rank() != 2 ||
      table->type.element != Element::F32 ||
      !table->type.shape[0].isConstant() || !table->type.shape[1].isConstant())
    return c.error(a.call.position,
                   "expects i64 ids and an f32 table [rows, width], but got " +
                       ids->type.str() + " and " + table->type.str());
  int64_t rows = *table->type.shape[0].constant();
  if (ids->isConstant() && (ids->integer < 0 || ids->integer >= rows))
    return c.error(a.call.position, "looks up row " +
                                        llvm::Twine(ids->integer) + " of " +
                                        table->type.str());
  ValueType type = ids->type;
  type.element = Element::F32;
  type.shape.push_back(table->type.shape[1]);
  return Value::of(
      c.node(NodeKind::Embedding, type, {ids, table}, a.call.position));
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Value reshape(Checker &c, Args &a) {
  Node *x = nullptr;
  std::vector<Dim> shape;
  if (!c.tensorArg(a, 0, x) || !c.shapeArg(a, 1, shape))
    return Value();
  return Value::of(c.reshape(x, shape, a.call.position));
}

Value expand(Checker &c, Args &a) {
  Node *x = nullptr;
  std::vector<Dim> shape;
  if (!c.tensorArg(a, 0, x) || !c.shapeArg(a, 1, shape))
    return Value();
  return Value::of(c.broadcast(x, shape, a.call.position));
}

Value transpose(Checker &c, Args &a) {
  Node *x = nullptr;
  if (!c.tensorArg(a, 0, x))
    return Value();
  std::vector<int64_t> permutation;
  for (const Value &item : a.values[1].items) {
    if (item.kind != Value::Int || !item.dim.isConstant())
      return c.error(a.positions[1], "expects whole numbers as dimensions");
    permutation.push_back(*item.dim.constant());
  }
  return Value::of(c.transpose(x, permutation, a.call.position));
}

Value dim(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t axis = 0;
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis))
    return Value();
  return Value::of(x->type.shape[axis]);
}

/// [B, S, n * D] -> [B, n, S, D]
Value splitHeads(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t heads = 1;
  if (!c.tensorArg(a, 0, x) || !c.sizeArg(a, 1, heads))
    return Value();
  std::optional<Dim> width =
      x->type.rank() == 3 ? x->type.shape[2].divide(heads) : std::nullopt;
  if (!width)
    return c.error(a.call.position, "expects [batch, sequence, width] with "
                                    "width divided by " +
                                        a.values[1].dim.str() +
                                        " heads, but got " + x->type.str());
  Node *split = c.reshape(
      x, {x->type.shape[0], x->type.shape[1], a.values[1].dim, *width},
      a.call.position);
  return Value::of(split ? c.transpose(split, {0, 2, 1, 3}, a.call.position)
                         : nullptr);
}

/// [B, n, S, D] -> [B, S, n * D]
Value mergeHeads(Checker &c, Args &a) {
  Node *x = nullptr;
  if (!c.tensorArg(a, 0, x))
    return Value();
  if (x->type.rank() != 4)
    return c.error(a.call.position,
                   "expects [batch, heads, sequence, width], but got " +
                       x->type.str());
  std::optional<Dim> width = x->type.shape[1].mul(x->type.shape[3]);
  Node *rows = c.transpose(x, {0, 2, 1, 3}, a.call.position);
  return Value::of(rows && width
                       ? c.reshape(rows,
                                   {x->type.shape[0], x->type.shape[2], *width},
                                   a.call.position)
                       : nullptr);
}

/// Tensors side by side; other dimensions of size 1 are repeated.
Value concat(Checker &c, Args &a) {
  std::vector<Node *> parts;
  for (const Value &value : a.rest) {
    if (value.kind != Value::Tensor)
      return c.error(a.call.position,
                     "'concat' expects tensors, but got " + value.describe());
    parts.push_back(value.node);
  }
  int64_t axis = 0;
  if (parts.empty() || !c.axisArg(a, 0, parts[0]->type.rank(), axis))
    return parts.empty() ? c.error(a.call.position, "expects tensors")
                         : Value();
  ValueType type = parts[0]->type;
  Dim total;
  for (Node *part : parts) {
    bool fits =
        part->type.rank() == type.rank() && part->type.element == type.element;
    for (size_t i = 0; fits && i < type.rank(); ++i) {
      if (int64_t(i) == axis)
        continue;
      if (type.shape[i].is(1))
        type.shape[i] = part->type.shape[i];
      fits = part->type.shape[i].is(1) || part->type.shape[i] == type.shape[i];
    }
    std::optional<Dim> sum =
        fits ? total.add(part->type.shape[axis]) : std::nullopt;
    if (!sum)
      return c.error(a.call.position,
                     "expects tensors that agree but for dimension " +
                         llvm::Twine(axis) + ", but got " +
                         parts[0]->type.str() + " and " + part->type.str());
    total = *sum;
  }
  for (Node *&part : parts) {
    type.shape[axis] = part->type.shape[axis];
    if (!(part = c.broadcast(part, type.shape, a.call.position)))
      return Value();
  }
  type.shape[axis] = total;
  Node *result = c.node(NodeKind::Concat, type, parts, a.call.position);
  if (result)
    result->index = axis;
  return Value::of(result);
}

/// n equal parts along an axis, as a list.
Value split(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t parts = 1, axis = -1;
  if (!c.tensorArg(a, 0, x) || !c.sizeArg(a, 1, parts) ||
      !c.axisArg(a, 2, x->type.rank(), axis))
    return Value();
  std::optional<int64_t> size = x->type.shape[axis].constant();
  if (!size || *size % parts)
    return c.error(a.call.position, "cannot split dimension " +
                                        llvm::Twine(axis) + " of " +
                                        x->type.str() + " into " +
                                        llvm::Twine(parts) + " equal parts");
  ValueType type = x->type;
  type.shape[axis] = Dim(*size / parts);
  std::vector<Value> results;
  for (int64_t i = 0; i < parts; ++i) {
    Node *part = c.node(NodeKind::Slice, type, {x}, a.call.position);
    if (!part)
      return Value();
    part->integers.assign(type.rank(), 0);
    part->integers[axis] = i * (*size / parts);
    results.push_back(Value::of(part));
  }
  return Value::list(std::move(results));
}

/// Convolution whose stride is its kernel: [B, C, H, W] -> [B, h * w, n].
Value patchEmbed(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t patch = 1;
  Dim n;
  std::string name;
  bool hasBias = true;
  Position at = a.call.position;
  if (!c.tensorArg(a, 0, x) || !c.sizeArg(a, 1, patch) || !c.dimArg(a, 2, n) ||
      !c.textArg(a, 3, name) || !c.flagArg(a, 4, hasBias))
    return Value();
  const std::vector<Dim> &s = x->type.shape;
  std::optional<Dim> h, w, width, count;
  if (s.size() == 4) {
    h = s[2].divide(patch);
    w = s[3].divide(patch);
    width = s[1].mul(Dim(patch));
    width = width ? width->mul(Dim(patch)) : width;
    count = h && w ? h->mul(*w) : std::nullopt;
  }
  if (!count || !width)
    return c.error(at, "expects pictures [batch, channels, height, width] that "
                       "patches of " +
                           a.values[1].dim.str() + " divide, but got " +
                           x->type.str());
  Dim p = a.values[1].dim;
  Node *kernel = c.weight(name + ".weight", {n, s[1], p, p}, at);
  Node *bias = hasBias ? c.weight(name + ".bias", {n}, at) : nullptr;
  if (!kernel || (hasBias && !bias))
    return Value();
  Node *grid = c.reshape(x, {s[0], s[1], *h, p, *w, p}, at);
  Node *patches = grid ? c.transpose(grid, {0, 2, 4, 1, 3, 5}, at) : nullptr;
  Node *rows =
      patches ? c.reshape(patches, {s[0], *count, *width}, at) : nullptr;
  Node *matrix = rows ? c.reshape(kernel, {n, *width}, at) : nullptr;
  return Value::of(matrix ? c.linear(rows, matrix, bias, at) : nullptr);
}

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
  std::optional<int64_t> size = x->type.shape[axis].constant();
  if (!size)
    return c.error(a.call.position,
                   "the mean over dynamic dimension '" +
                       x->type.shape[axis].str() +
                       "' is not lowered yet; divide a sum by a sum of ones");
  Node *total = c.reduce(NodeKind::Sum, x, axis, keep, a.call.position);
  return c.apply(Function::Div, {Value::of(total), Value::of(double(*size))},
                 a.call.position);
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
