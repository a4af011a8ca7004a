// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nodes and the rules of their types and shapes.

#include "frontend/language/check/CheckerImpl.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace attn::lang;

namespace {
constexpr size_t maxNodes = 100000;
constexpr int64_t maxElements = int64_t(1) << 40;
constexpr size_t maxRank = 8;
constexpr size_t maxNameBytes = 1024;
} // namespace

Node *Checker::node(NodeKind kind, ValueType type, std::vector<Node *> operands,
                    Position position) {
  if (graph->nodes.size() >= maxNodes) {
    if (graph->nodes.size() == maxNodes)
      error(position, "makes more than 100000 operations");
    else
      return nullptr;
  }
  int64_t elements = 1;
  for (const Dim &dim : type.shape) {
    std::optional<int64_t> size = dim.constant();
    if (size && *size < 1)
      return nodeError(position, "makes an empty tensor, " + type.str());
    if (size && (llvm::MulOverflow(elements, *size, elements) ||
                 elements > maxElements))
      return nodeError(position, "makes a tensor of more than 2^40 elements, " +
                                     type.str());
  }
  if (type.rank() > maxRank)
    return nodeError(position, "makes a tensor of more than 8 dimensions");
  Node &result = graph->nodes.emplace_back();
  result.kind = kind;
  result.type = std::move(type);
  result.operands = std::move(operands);
  result.position = position;
  result.id = graph->nodes.size();
  result.inProgram = program != nullptr;
  // A weight is the same in every step, and outside of the scan.
  result.home = kind == NodeKind::Weight ? nullptr : home;
  result.needsInputs =
      kind == NodeKind::Input || kind == NodeKind::ScanArgument ||
      llvm::any_of(result.operands,
                   [](Node *x) { return x && x->needsInputs; });
  if (program)
    program->info->body.push_back(&result);
  return graph->nodes.size() > maxNodes ? nullptr : &result;
}

Node *Checker::constant(Element element, double real, int64_t integer,
                        std::vector<Dim> shape, Position position) {
  Node *result =
      node(NodeKind::Constant, {element, std::move(shape)}, {}, position);
  if (result) {
    result->real = real;
    result->integer = integer;
  }
  return result;
}

Node *Checker::weight(const std::string &name, const std::vector<Dim> &shape,
                      Position position) {
  std::string path = scoped(name);
  if (entry->kernel)
    return nodeError(position, kind() + " reads no weights: make '" + path +
                                   "' an input");
  ValueType type{Element::F32, shape};
  for (const Dim &dim : shape)
    if (!dim.isConstant())
      return nodeError(position, "weight '" + path +
                                     "' needs a size known when compiling, "
                                     "but got " +
                                     type.str());
  if (path.empty() || path.size() > maxNameBytes)
    return nodeError(position, "expects a weight's name of 1 to 1024 bytes");
  auto [entry, isNew] = weights.try_emplace(path, nullptr);
  if (!isNew && entry->second && entry->second->type.shape != shape)
    return nodeError(position, "weight '" + path + "' is " + type.str() +
                                   " here, but " + entry->second->type.str() +
                                   " where it was used before");
  if (!isNew)
    return entry->second;
  Node *result = node(NodeKind::Weight, type, {}, position);
  if (result)
    result->name = path;
  return entry->second = result;
}

Node *Checker::asNode(const Value &value, Position position) {
  switch (value.kind) {
  case Value::Tensor:
    return value.node;
  case Value::Bool:
    return constant(Element::Bool, 0, value.flag, {}, position);
  case Value::Float:
    return constant(Element::F32, value.real, 0, {}, position);
  case Value::Int:
    if (std::optional<int64_t> integer = value.dim.constant())
      return constant(Element::I64, 0, *integer, {}, position);
    if (program && value.dim == program->rows)
      return program->names["M"].node;
    if (program && value.dim == program->columns)
      return program->names["N"].node;
    return nodeError(position, "arithmetic of a tensor with dynamic dimension "
                               "'" +
                                   value.dim.str() + "' is not lowered yet");
  case Value::Error:
    return nullptr;
  default:
    mismatch(position, value,
             value.param ? "a number" : "a tensor or a number");
    return nullptr;
  }
}

bool Checker::atMost(const Dim &size, int64_t limit) const {
  std::optional<int64_t> bound = size.upperBound(graph->dimMax);
  return bound && *bound <= limit;
}

Node *Checker::floatTensor(Node *x, llvm::StringRef what, Position position) {
  if (x->type.element == Element::F32)
    return x;
  return nodeError(position, "expects '" + what + "' to be f32, but got " +
                                 x->type.str());
}

//===----------------------------------------------------------------------===//
// Elementwise functions
//===----------------------------------------------------------------------===//

namespace {
bool isLogic(Function f) { return f >= Function::And && f <= Function::Not; }
bool isComparison(Function f) { return f >= Function::Eq && f <= Function::Ge; }
bool isArithmetic(Function f) {
  return (f >= Function::Add && f <= Function::Mod) || f == Function::Min ||
         f == Function::Max || f == Function::Neg || f == Function::Abs;
}

/// The element type that operands meet in: floats win over whole numbers, and
/// constants adapt to the others.
std::optional<Element> meet(llvm::ArrayRef<Node *> operands) {
  bool f32 = false, i64 = false, index = false, boolean = false, other = false;
  for (Node *operand : operands) {
    Element element = operand->type.element;
    f32 |= element == Element::F32;
    i64 |= element == Element::I64 && !operand->isScalarConstant();
    index |= element == Element::Index;
    boolean |= element == Element::Bool;
    other |= element != Element::Bool;
  }
  if (boolean)
    return other ? std::nullopt : std::optional(Element::Bool);
  if (f32)
    return Element::F32;
  return index && !i64 ? Element::Index : Element::I64;
}

/// Result and operand element types of a function, or nothing.
std::optional<std::pair<Element, Element>> elements(Function f,
                                                    llvm::ArrayRef<Node *> x) {
  if (f == Function::Where) {
    std::optional<Element> both = meet(x.drop_front());
    if (!both || x[0]->type.element != Element::Bool)
      return std::nullopt;
    return std::pair(*both, *both);
  }
  std::optional<Element> operand = meet(x);
  if (!operand)
    return std::nullopt;
  if (f == Function::Copy)
    return std::pair(x[0]->type.element, x[0]->type.element);
  if (f == Function::ToF32)
    return std::pair(Element::F32, *operand);
  if (f == Function::ToI64)
    return std::pair(Element::I64, *operand);
  if (isLogic(f))
    return *operand == Element::Bool
               ? std::optional(std::pair(Element::Bool, Element::Bool))
               : std::nullopt;
  if (*operand == Element::Bool)
    return std::nullopt;
  if (isComparison(f))
    return std::pair(Element::Bool, *operand);
  if (isArithmetic(f) && *operand != Element::F32)
    return std::pair(*operand, *operand);
  return std::pair(Element::F32, Element::F32);
}

/// Broadcasting as NumPy's: right-aligned, size 1 meets any size.
bool broadcastShapes(llvm::ArrayRef<Node *> operands, std::vector<Dim> &out,
                     size_t &badAxis) {
  for (Node *operand : operands) {
    const std::vector<Dim> &shape = operand->type.shape;
    if (shape.size() > out.size())
      out.insert(out.begin(), shape.size() - out.size(), Dim(1));
    for (size_t i = 0; i < shape.size(); ++i) {
      Dim &target = out[out.size() - shape.size() + i];
      if (shape[i].is(1) || shape[i] == target)
        continue;
      if (!target.is(1)) {
        badAxis = i;
        return false;
      }
      target = shape[i];
    }
  }
  return true;
}

std::string listTypes(llvm::ArrayRef<Node *> operands) {
  std::string text;
  for (size_t i = 0; i < operands.size(); ++i)
    text += (i == 0                     ? ""
             : i + 1 == operands.size() ? " and "
                                        : ", ") +
            operands[i]->type.str();
  return text;
}
} // namespace

/// Folds what absent inputs make constant, such as `1 != 0` in a mask.
static std::optional<bool> foldComparison(Function f,
                                          llvm::ArrayRef<Node *> x) {
  if (!isComparison(f) || !x[0]->isConstant() || !x[1]->isConstant())
    return std::nullopt;
  double a = x[0]->constantAsReal(), b = x[1]->constantAsReal();
  switch (f) {
  case Function::Eq:
    return a == b;
  case Function::Ne:
    return a != b;
  case Function::Lt:
    return a < b;
  case Function::Le:
    return a <= b;
  case Function::Gt:
    return a > b;
  default:
    return a >= b;
  }
}

Node *Checker::map(Function function, std::vector<Node *> operands,
                   Position position) {
  if (program)
    for (Node *&operand : operands)
      if (!(operand = programValue(operand, position)))
        return nullptr;
  // Small powers are products: exact, and no call at run time.
  if (function == Function::Pow && operands[1]->isScalarConstant()) {
    double exponent = operands[1]->constantAsReal();
    if (exponent == 2)
      return map(Function::Mul, {operands[0], operands[0]}, position);
    if (exponent == 0.5)
      return map(Function::Sqrt, {operands[0]}, position);
  }
  auto types = elements(function, operands);
  if (!types)
    return nodeError(position, "cannot combine " + listTypes(operands) +
                                   "; i64(x) and f32(x) convert, != 0 makes a "
                                   "condition");
  bool integers = types->second != Element::F32;
  if (integers && function == Function::Div)
    return nodeError(position, "'/' divides f32 values; floor_div divides " +
                                   listTypes(operands));
  if ((function == Function::FloorDiv || function == Function::Mod) &&
      (!integers || !operands[1]->isScalarConstant() ||
       operands[1]->integer < 1))
    return nodeError(position, "expects whole numbers and a positive divisor "
                               "known when compiling, but got " +
                                   listTypes(operands));
  ValueType type{types->first, {}};
  size_t axis = 0;
  if (!broadcastShapes(operands, type.shape, axis))
    return nodeError(position, "expects shapes that agree, but got " +
                                   listTypes(operands));
  if (std::optional<bool> known = foldComparison(function, operands))
    return constant(Element::Bool, 0, *known, type.shape, position);
  Node *result = node(NodeKind::Map, type, std::move(operands), position);
  if (result) {
    result->function = function;
    result->operandElement = types->second;
  }
  return result;
}

Node *Checker::broadcast(Node *x, const std::vector<Dim> &shape,
                         Position position) {
  if (x->type.shape == shape)
    return x;
  ValueType type{x->type.element, shape};
  size_t lead = shape.size() - std::min(shape.size(), x->type.rank());
  bool fits = x->type.rank() <= shape.size();
  for (size_t i = 0; fits && i < x->type.rank(); ++i)
    fits = x->type.shape[i].is(1) || x->type.shape[i] == shape[lead + i];
  if (!fits)
    return nodeError(position,
                     "cannot expand " + x->type.str() + " to " + type.str());
  if (x->isConstant())
    return constant(x->type.element, x->real, x->integer, shape, position);
  Node *result = node(NodeKind::Map, type, {x}, position);
  if (result)
    result->operandElement = type.element;
  return result;
}

//===----------------------------------------------------------------------===//
// Shape changes and reductions
//===----------------------------------------------------------------------===//

Node *Checker::reshape(Node *x, const std::vector<Dim> &shape,
                       Position position) {
  if (x->type.shape == shape)
    return x;
  ValueType type{x->type.element, shape};
  std::optional<Dim> before = Dim(1), after = Dim(1);
  for (const Dim &dim : x->type.shape)
    before = before ? before->mul(dim) : before;
  for (const Dim &dim : shape)
    after = after ? after->mul(dim) : after;
  if (!before || !after || !(*before == *after))
    return nodeError(position, "cannot reshape " + x->type.str() + " to " +
                                   type.str() +
                                   ": the number of elements differs");
  if (shape.empty() || x->type.shape.empty())
    return nodeError(position, "expects at least one dimension");
  if (x->isConstant())
    return constant(x->type.element, x->real, x->integer, shape, position);
  return node(NodeKind::Reshape, type, {x}, position);
}

Node *Checker::transpose(Node *x, std::vector<int64_t> permutation,
                         Position position) {
  ValueType type{x->type.element, {}};
  std::vector<bool> seen(x->type.rank());
  bool valid = permutation.size() == x->type.rank();
  for (int64_t axis : permutation) {
    valid = valid && axis >= 0 && size_t(axis) < seen.size() && !seen[axis];
    if (!valid)
      break;
    seen[axis] = true;
    type.shape.push_back(x->type.shape[axis]);
  }
  if (!valid)
    return nodeError(position,
                     "expects each dimension of " + x->type.str() + " once");
  Node *result = node(NodeKind::Transpose, type, {x}, position);
  if (result)
    result->integers = std::move(permutation);
  return result;
}

Node *Checker::reduce(NodeKind kind, Node *x, int64_t axis, bool keep,
                      Position position) {
  if (!floatTensor(x, "x", position))
    return nullptr;
  if (x->type.rank() < 2)
    return nodeError(position, "expects at least two dimensions, but got " +
                                   x->type.str());
  ValueType type = x->type;
  type.shape.erase(type.shape.begin() + axis);
  Node *result = node(kind, type, {x}, position);
  if (!result)
    return nullptr;
  result->index = axis;
  if (!keep)
    return result;
  std::vector<Dim> shape = x->type.shape;
  shape[axis] = Dim(1);
  return reshape(result, shape, position);
}

/// x W^T + b with a W that is no weight: a product of two activations.
Node *Checker::product(Node *x, Node *weight, Node *bias, Position position) {
  std::optional<Dim> rows = Dim(1);
  for (size_t i = 0; i + 1 < x->type.rank(); ++i)
    rows = rows ? rows->mul(x->type.shape[i]) : rows;
  Node *flat = rows ? reshape(x, {*rows, x->type.shape.back()}, position)
                    : nodeError(position, "has too many dynamic dimensions");
  Node *result = flat ? node(NodeKind::Matmul,
                             {Element::F32, {*rows, weight->type.shape[0]}},
                             {flat, weight}, position)
                      : nullptr;
  if (!result)
    return nullptr;
  result->flag = true; // transposed
  std::vector<Dim> shape = x->type.shape;
  shape.back() = weight->type.shape[0];
  result = reshape(result, shape, position);
  return result && bias ? map(Function::Add, {result, bias}, position) : result;
}

Node *Checker::linear(Node *x, Node *weight, Node *bias, Position position) {
  if (!floatTensor(x, "x", position) ||
      !floatTensor(weight, "weight", position))
    return nullptr;
  if (x->type.rank() < 1 || weight->type.rank() != 2 ||
      !(weight->type.shape[1] == x->type.shape.back()))
    return nodeError(position,
                     "expects a weight [n, k] with k the last dimension of "
                     "the input, but got input " +
                         x->type.str() + " and weight " + weight->type.str());
  if (bias && bias->type.shape != std::vector<Dim>{weight->type.shape[0]})
    return nodeError(position, "expects a bias [" +
                                   weight->type.shape[0].str() + "], but got " +
                                   bias->type.str());
  if (weight->needsInputs)
    return product(x, weight, bias, position);
  ValueType type = x->type;
  type.shape.back() = weight->type.shape[0];
  std::vector<Node *> operands{x, weight};
  if (bias)
    operands.push_back(bias);
  return node(NodeKind::Linear, type, operands, position);
}
