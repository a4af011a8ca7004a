// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions that move elements without changing them.

#include "frontend/language/check/builtins/BuiltinFunctions.h"

using namespace attn::lang;
using namespace attn::lang::builtin;

Value builtin::reshape(Checker &c, Args &a) {
  Node *x = nullptr;
  std::vector<Dim> shape;
  if (!c.tensorArg(a, 0, x) || !c.shapeArg(a, 1, shape))
    return Value();
  return Value::of(c.reshape(x, shape, a.call.position));
}

Value builtin::expand(Checker &c, Args &a) {
  Node *x = nullptr;
  std::vector<Dim> shape;
  if (!c.tensorArg(a, 0, x) || !c.shapeArg(a, 1, shape))
    return Value();
  return Value::of(c.broadcast(x, shape, a.call.position));
}

Value builtin::transpose(Checker &c, Args &a) {
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

Value builtin::dim(Checker &c, Args &a) {
  Node *x = nullptr;
  int64_t axis = 0;
  if (!c.tensorArg(a, 0, x) || !c.axisArg(a, 1, x->type.rank(), axis))
    return Value();
  return Value::of(x->type.shape[axis]);
}

/// [B, S, n * D] -> [B, n, S, D]
Value builtin::splitHeads(Checker &c, Args &a) {
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
Value builtin::mergeHeads(Checker &c, Args &a) {
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
Value builtin::concat(Checker &c, Args &a) {
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
Value builtin::split(Checker &c, Args &a) {
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

/// How many whole patches lie along a dimension of pictures.
static std::optional<Dim> patchesAlong(const Dim &size, int64_t patch) {
  std::optional<int64_t> constant = size.constant();
  if (!constant)
    return size.divide(patch);
  return *constant < patch ? std::nullopt
                           : std::optional(Dim(*constant / patch));
}

/// Convolution whose stride is its kernel: [B, C, H, W] -> [B, h * w, n]. Rows
/// and columns behind the last whole patch have no part in it.
Value builtin::patchEmbed(Checker &c, Args &a) {
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
    h = patchesAlong(s[2], patch);
    w = patchesAlong(s[3], patch);
    width = s[1].mul(Dim(patch));
    width = width ? width->mul(Dim(patch)) : width;
    count = h && w ? h->mul(*w) : std::nullopt;
  }
  if (!count || !width)
    return c.error(at, "expects pictures [batch, channels, height, width] of "
                       "whole patches of " +
                           a.values[1].dim.str() + ", but got " +
                           x->type.str());
  Dim p = a.values[1].dim;
  Node *kernel = c.weight(name + ".weight", {n, s[1], p, p}, at);
  Node *bias = hasBias ? c.weight(name + ".bias", {n}, at) : nullptr;
  if (!kernel || (hasBias && !bias))
    return Value();
  ValueType whole = x->type;
  whole.shape[2] = *h->mul(p);
  whole.shape[3] = *w->mul(p);
  if (whole.shape != s) {
    x = c.node(NodeKind::Slice, whole, {x}, at);
    if (!x)
      return Value();
    x->integers.assign(whole.rank(), 0);
  }
  Node *grid = c.reshape(x, {s[0], s[1], *h, p, *w, p}, at);
  Node *patches = grid ? c.transpose(grid, {0, 2, 4, 1, 3, 5}, at) : nullptr;
  Node *rows =
      patches ? c.reshape(patches, {s[0], *count, *width}, at) : nullptr;
  Node *matrix = rows ? c.reshape(kernel, {n, *width}, at) : nullptr;
  return Value::of(matrix ? c.linear(rows, matrix, bias, at) : nullptr);
}
