// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights, and the layers that read them.

#include "frontend/language/check/builtins/BuiltinFunctions.h"

#include <cmath>

using namespace attn::lang;
using namespace attn::lang::builtin;

Value builtin::weight(Checker &c, Args &a) {
  std::string name;
  std::vector<Dim> shape;
  // [] is the shape of a number.
  bool isNumber = a.values[1].kind == Value::List && a.values[1].items.empty();
  if (!c.textArg(a, 0, name) || (!isNumber && !c.shapeArg(a, 1, shape)))
    return Value();
  return Value::of(c.weight(name, shape, a.call.position));
}

/// linear(x, n, "name", bias = true), or linear(x, weight [, bias = tensor]).
Value builtin::linear(Checker &c, Args &a) {
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

static bool lastDim(Checker &c, Args &a, Node *x, int64_t axes,
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

bool builtin::epsilon(Checker &c, Args &a, unsigned i, double &eps) {
  if (!c.realArg(a, i, eps))
    return false;
  return (std::isfinite(eps) && eps >= 0) ||
         c.argError(a, i, "a finite number that is not negative");
}

Value builtin::layerNorm(Checker &c, Args &a) {
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

/// rms_norm(x, "name"), or rms_norm(x, scale).
Value builtin::rmsNorm(Checker &c, Args &a) {
  Node *x = nullptr, *scale = nullptr;
  std::string name;
  double eps = 1e-6;
  std::vector<Dim> shape;
  bool given = a.values[1].kind == Value::Tensor;
  if (!c.tensorArg(a, 0, x) ||
      !(given ? c.tensorArg(a, 1, scale) : c.textArg(a, 1, name)) ||
      !epsilon(c, a, 2, eps) || !lastDim(c, a, x, 1, shape) ||
      !c.floatTensor(x, "x", a.call.position))
    return Value();
  if (given &&
      (scale->type.shape != shape || scale->type.element != Element::F32))
    return c.error(a.positions[1], "expects a scale f32[" + shape[0].str() +
                                       "], but got " + scale->type.str());
  if (!given && a.values[1].kind != Value::Absent)
    if (!(scale = c.weight(name + ".weight", shape, a.call.position)))
      return Value();
  std::vector<Node *> operands{x};
  if (scale)
    operands.push_back(scale);
  Node *result = c.node(NodeKind::RmsNorm, x->type, operands, a.call.position);
  if (result)
    result->real = eps;
  return Value::of(result);
}

Value builtin::softmax(Checker &c, Args &a) {
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

Value builtin::matmul(Checker &c, Args &a) {
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

Value builtin::embedding(Checker &c, Args &a) {
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
