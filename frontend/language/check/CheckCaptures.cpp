// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a score program reads of the model's tensors.

#include "frontend/language/check/CheckerImpl.h"

using namespace attn::lang;

/// Region arguments before the captures: vectors, then b, h, i, j, M and N.
static int64_t firstCapture(const ProgramScope &scope) {
  return 2 * scope.queries.size() + 6;
}

/// The region argument that stands for a tensor of the model.
Node *Checker::capture(Node *x, Position position) {
  if (x->type.element == Element::Bool)
    return nodeError(position, "a score program reads f32 and i64 tensors, but "
                               "got " +
                                   x->type.str() + "; i64(x) converts");
  auto [entry, isNew] = program->captureArguments.try_emplace(x, nullptr);
  if (!isNew)
    return entry->second;
  int64_t index = firstCapture(*program) + program->captures.size();
  program->captures.push_back(x);
  Node *result = argument(index, x->type, "capture", position);
  return program->captureArguments[x] = result;
}

/// A value usable in the program: tensors of the model are captured, and must
/// be numbers or vectors when used whole.
Node *Checker::programValue(Node *x, Position position) {
  if (x->inProgram)
    return x;
  if (x->isConstant())
    return constant(x->type.element, x->real, x->integer,
                    x->type.rank() == 1 ? x->type.shape : std::vector<Dim>{},
                    position);
  if (x->type.rank() > 1 || (x->type.rank() && !x->type.shape[0].isConstant()))
    return nodeError(position, "expects one element or a vector of " +
                                   x->type.str() + ", such as x[b, i]");
  Node *source = capture(x, position);
  if (!source)
    return nullptr;
  if (source->type.rank() && !source->type.shape[0].is(1))
    return source;
  // A tensor of one element is a number.
  std::vector<Node *> operands{source};
  if (source->type.rank()) {
    operands.push_back(constant(Element::I64, 0, 0, {}, position));
    if (!operands.back())
      return nullptr;
  }
  return node(NodeKind::Extract, {x->type.element, {}}, operands, position);
}

/// How far b, h, i or j runs; null for any other index.
static const Dim *extentOf(const Node &index, const ProgramScope &s) {
  if (index.kind != NodeKind::Argument)
    return nullptr;
  return index.name == "b"   ? &s.batch
         : index.name == "h" ? &s.heads
         : index.name == "i" ? &s.rows
         : index.name == "j" ? &s.columns
                             : nullptr;
}

/// Elements of an input that says `in 0..n` lie below n.
std::optional<int64_t> Checker::boundOf(const Node &index) const {
  if (index.kind != NodeKind::Extract)
    return std::nullopt;
  const Node *source =
      program->captures[index.operands[0]->index - firstCapture(*program)];
  if (source->kind != NodeKind::Input)
    return std::nullopt;
  return graph->inputs[source->index].bound;
}

/// The size of a captured tensor's dimension, as a value of the program.
Node *Checker::captureSize(Node *capture, size_t axis, Position position) {
  const Dim &size = capture->type.shape[axis];
  if (std::optional<int64_t> number = size.constant())
    return constant(Element::Index, 0, *number, {}, position);
  Node *result =
      node(NodeKind::CaptureSize, {Element::Index, {}}, {capture}, position);
  if (result)
    result->index = axis;
  return result;
}

/// An index that may reach outside is taken to the nearest element: no
/// expression reads memory that is not the tensor's.
Node *Checker::clampIndex(Node *index, Node *capture, size_t axis,
                          Position position) {
  Node *size = captureSize(capture, axis, position);
  Node *one = constant(Element::I64, 0, 1, {}, position);
  Node *zero = constant(Element::I64, 0, 0, {}, position);
  if (!size || !one || !zero)
    return nullptr;
  Node *last = size->isConstant()
                   ? constant(Element::I64, 0, size->integer - 1, {}, position)
                   : map(Function::Sub, {size, one}, position);
  Node *low = last ? map(Function::Max, {index, zero}, position) : nullptr;
  return low ? map(Function::Min, {low, last}, position) : nullptr;
}

/// One index of x[...], known to lie inside `x`, whose capture is `source`.
Node *Checker::extractIndex(const Expr &expr, Node *x, Node *source,
                            size_t axis) {
  Position at = expr.position;
  Value value = evaluate(expr);
  Node *index = value.isError() ? nullptr : asNode(value, at);
  index = index ? programValue(index, at) : nullptr;
  if (!index)
    return nullptr;
  const Dim &size = x->type.shape[axis];
  if (index->type.rank() || (index->type.element != Element::Index &&
                             index->type.element != Element::I64)) {
    mismatch(at, value, "a whole number as index");
    return nullptr;
  }
  std::string dimension =
      "dimension " + std::to_string(axis) + " of " + x->type.str();
  if (index->isConstant()) {
    if (index->integer < 0 ||
        (size.isConstant() && index->integer >= *size.constant()))
      return nodeError(at, "index " + llvm::Twine(index->integer) +
                               " reaches outside " + dimension);
    if (size.isConstant() || !index->integer)
      return index;
  }
  if (const Dim *extent = extentOf(*index, *program)) {
    if (*extent == size ||
        (size.isConstant() && atMost(*extent, *size.constant())))
      return index;
    return nodeError(at, "'" + index->name + "' runs over " + extent->str() +
                             ", but " + dimension + " is " + size.str());
  }
  std::optional<int64_t> bound = boundOf(*index);
  if (bound && size.isConstant() && *bound <= *size.constant())
    return index;
  // A constant tensor is the same everywhere.
  return source ? clampIndex(index, source, axis, at) : index;
}

/// x[b, j]: an element of a captured tensor, or a row when one dimension is
/// left.
Value Checker::extract(const Expr &expr, Node *x) {
  if (x->inProgram)
    return error(expr.position, "expects a tensor of the model before '['");
  size_t rank = x->type.rank(), given = expr.subscripts.size();
  if (given > rank || rank - given > 1)
    return error(expr.position, "expects " + llvm::Twine(rank) +
                                    " indices into " + x->type.str() +
                                    ", but got " + llvm::Twine(given));
  ValueType type{x->type.element,
                 {x->type.shape.begin() + given, x->type.shape.end()}};
  if (type.rank() &&
      (!type.shape[0].isConstant() || type.element != Element::F32))
    return error(expr.position, "expects " + llvm::Twine(rank) +
                                    " indices into " + x->type.str() +
                                    ", but got " + llvm::Twine(given));
  Node *source = x->isConstant() ? nullptr : capture(x, expr.position);
  if (!source && !x->isConstant())
    return Value();
  std::vector<Node *> operands{source};
  for (size_t axis = 0; axis < given; ++axis) {
    const Subscript &subscript = expr.subscripts[axis];
    if (subscript.slice)
      return error(expr.position,
                   "slices are not available in a score program");
    Node *index = extractIndex(*subscript.low, x, source, axis);
    if (!index)
      return Value();
    operands.push_back(index);
  }
  if (x->isConstant())
    return Value::of(
        constant(type.element, x->real, x->integer, type.shape, expr.position));
  return Value::of(
      node(NodeKind::Extract, type, std::move(operands), expr.position));
}
