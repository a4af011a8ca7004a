// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Indices and slices of tensors and lists.

#include "frontend/language/check/CheckerImpl.h"

using namespace attn::lang;

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
  return Value::of((*x.json->getAsArray())[*i], "");
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
  std::optional<Dim> rest = dim.sub(*end), missing = Dim(1).sub(*length);
  bool inside = rest && rest->isConstant() && *rest->constant() >= 0 &&
                missing && atMost(*missing, 0);
  bool fits = *end == dim || inside || (limit && atMost(*end, *limit)) ||
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
