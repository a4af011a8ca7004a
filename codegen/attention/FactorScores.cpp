// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Takes sums in an attention's score apart: products that become one, powers
// whose exponents are sums over both sides, and squares of such sums.

#include "codegen/attention/ScoreProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn;

/// Exponents of both sides that add up to less keep their powers, and the
/// product of these, inside f32.
static constexpr double kExponentLimit = 85;
/// Nested sums that are looked through.
static constexpr int kAddendDepth = 16;

static std::optional<double> constantOf(Value value) {
  if (auto splat = value.getDefiningOp<tensor::SplatOp>())
    value = splat.getInput();
  Attribute attribute;
  if (!matchPattern(value, m_Constant(&attribute)))
    return std::nullopt;
  if (auto elements = dyn_cast<DenseFPElementsAttr>(attribute))
    return elements.isSplat()
               ? std::optional(
                     elements.getSplatValue<APFloat>().convertToDouble())
               : std::nullopt;
  auto number = dyn_cast<FloatAttr>(attribute);
  return number ? std::optional(number.getValueAsDouble()) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Sums of products
//===----------------------------------------------------------------------===//

/// Takes x = sum of factor * part apart: body(part, factor) is asked for each
/// part first, and whether it is one; false where one cannot be.
static bool forAddends(Value x, double factor,
                       llvm::function_ref<bool(Value, double)> body,
                       int depth = 0) {
  if (body(x, factor))
    return true;
  Operation *op = x.getDefiningOp();
  if (!op || depth > kAddendDepth)
    return false;
  auto next = [&](unsigned operand, double times) {
    return forAddends(op->getOperand(operand), times, body, depth + 1);
  };
  if (isa<arith::AddFOp>(op))
    return next(0, factor) && next(1, factor);
  if (isa<arith::SubFOp>(op))
    return next(0, factor) && next(1, -factor);
  if (isa<arith::NegFOp>(op))
    return next(0, -factor);
  if (isa<arith::MulFOp>(op))
    for (unsigned i : {0, 1})
      if (std::optional<double> c = constantOf(op->getOperand(i)))
        return next(1 - i, factor * *c);
  if (isa<arith::DivFOp>(op))
    if (std::optional<double> c = constantOf(op->getOperand(1)); c && *c != 0)
      return next(0, factor / *c);
  return false;
}

bool ScoreProgram::joinProducts(double unit) {
  SmallVector<PairTerm::Product, 1> products;
  DenseSet<unsigned> joined;
  size_t vectorsBefore = sidedVectors.size();
  Value score = op.getScore().front().getTerminator()->getOperand(0);
  bool isSum = forAddends(score, unit, [&](Value part, double factor) {
    std::optional<unsigned> term = termOf(part);
    if (!term || pairTerms[*term].products.empty() ||
        pairTerms[*term].squares || reads(op.getKeep(), *term) ||
        reads(op.getWeight(), *term) || !joined.insert(*term).second)
      return false;
    PairTerm::Product product = pairTerms[*term].products.front();
    SidedVector scaled = sidedVectors[product.rowVector];
    for (SidedVector::Part &row : scaled.parts)
      row.factor *= factor;
    product.rowVector = addVector(std::move(scaled));
    products.push_back(product);
    return true;
  });
  if (!isSum || joined.size() != pairTerms.size()) {
    sidedVectors.truncate(vectorsBefore);
    return false;
  }
  pairTerms.resize(1);
  pairTerms.front().products = std::move(products);
  dropUnusedVectors();
  return true;
}

/// Of products only: what they do not multiply is not computed.
void ScoreProgram::dropUnusedVectors() {
  SmallVector<unsigned *> uses;
  for (PairTerm::Product &product : pairTerms.front().products)
    uses.append({&product.rowVector, &product.keyVector});
  SmallVector<SidedVector> kept;
  for (unsigned *use : uses) {
    const SidedVector &vector = sidedVectors[*use];
    *use = llvm::find(kept, vector) - kept.begin();
    if (*use == kept.size())
      kept.push_back(vector);
  }
  sidedVectors = std::move(kept);
}

//===----------------------------------------------------------------------===//
// Factoring
//===----------------------------------------------------------------------===//

namespace {
/// x as a sum of what varies with the row or neither and what with the key.
struct Split {
  SmallVector<SidedVector::Part, 1> row, key;
  Side rowSide = Side::Head;
};
} // namespace

static bool split(const ScoreProgram &program, Value x, Split &into) {
  return forAddends(x, 1.0, [&](Value part, double factor) {
    Side side = program.sideOf(part);
    if (side == Side::Pair)
      return false;
    (side == Side::Key ? into.key : into.row)
        .push_back({program.representative(part), factor});
    if (side != Side::Key)
      into.rowSide = Side(unsigned(into.rowSide) | unsigned(side));
    return true;
  });
}

static int64_t widthOf(Value vector) {
  return cast<RankedTensorType>(vector.getType()).getDimSize(0);
}

/// The operations of a term that compute on vectors of the pair.
static SmallVector<Operation *> pairVectorOps(const ScoreProgram &program,
                                              Operation *reduction) {
  SmallVector<Operation *> found;
  DenseSet<Operation *> seen;
  SmallVector<Value> work(reduction->getOperands());
  while (!work.empty()) {
    Value value = program.representative(work.pop_back_val());
    Operation *op = value.getDefiningOp();
    if (!op || program.sideOf(value) != Side::Pair ||
        !isa<RankedTensorType>(value.getType()) || isa<tensor::SplatOp>(op) ||
        !seen.insert(op).second)
      continue;
    found.push_back(op);
    llvm::append_range(work, op->getOperands());
  }
  return found;
}

void ScoreProgram::factor(PairTerm &term) {
  for (Operation *inner : pairVectorOps(*this, term.op)) {
    bool isTanh = isa<math::TanhOp>(inner);
    Split parts;
    if ((!isTanh && !isa<math::ExpOp>(inner)) ||
        !split(*this, inner->getOperand(0), parts) || parts.row.empty() ||
        parts.key.empty())
      continue;
    // tanh(x) comes from e^2x.
    for (SidedVector::Part &part :
         llvm::concat<SidedVector::Part>(parts.row, parts.key))
      part.factor *= isTanh ? 2.0 : 1.0;
    int64_t width = widthOf(inner->getResult(0));
    unsigned row = addVector({parts.row, true, parts.rowSide, width});
    unsigned key = addVector({parts.key, true, Side::Key, width});
    term.factored.push_back(
        {inner, row, key,
         addScalar({SidedScalar::Range, {}, row, parts.rowSide}),
         addScalar({SidedScalar::Range, {}, key, Side::Key}), kExponentLimit});
  }
}

/// Whether `op` is 1 / (1 + power).
static bool isLogisticOf(Operation *op, Value power) {
  auto quotient = dyn_cast_or_null<arith::DivFOp>(op);
  auto sum = quotient ? quotient.getRhs().getDefiningOp<arith::AddFOp>()
                      : arith::AddFOp();
  if (!sum || constantOf(quotient.getLhs()) != 1.0)
    return false;
  return (constantOf(sum.getLhs()) == 1.0 && sum.getRhs() == power) ||
         (constantOf(sum.getRhs()) == 1.0 && sum.getLhs() == power);
}

void ScoreProgram::findLogistic(PairTerm &term) {
  if (term.factored.size() != 1)
    return;
  Operation *power = term.factored.front().op;
  bool isTanh = isa<math::TanhOp>(power);
  auto isFunction = [&](Value x) {
    Operation *op = representative(x).getDefiningOp();
    return isTanh ? op == power : isLogisticOf(op, power->getResult(0));
  };
  PairTerm::Logistic logistic;
  if (isa<SumOp>(term.op)) {
    if (isFunction(term.op->getOperand(0)))
      term.logistic = logistic;
    return;
  }
  for (unsigned i : {0, 1}) {
    Value weight = term.op->getOperand(i);
    logistic.weight = vectorOf(weight);
    Side side = sideOf(weight);
    if (!logistic.weight || side == Side::Key ||
        !isFunction(term.op->getOperand(1 - i)))
      continue;
    if (isTanh)
      logistic.weightSum =
          addScalar({SidedScalar::Sum, {}, *logistic.weight, side});
    term.logistic = logistic;
    return;
  }
}

//===----------------------------------------------------------------------===//
// Squares
//===----------------------------------------------------------------------===//

/// x, where the term is the sum of x's squares; else null.
static Value squareRoot(const ScoreProgram &program, Operation *reduction) {
  Operation *product = reduction;
  if (isa<SumOp>(reduction)) {
    product = program.representative(reduction->getOperand(0)).getDefiningOp();
    if (!isa_and_nonnull<arith::MulFOp>(product))
      return {};
  }
  Value x = program.representative(product->getOperand(0));
  return x == program.representative(product->getOperand(1)) ? x : Value();
}

void ScoreProgram::findSquares(PairTerm &term) {
  Value x = squareRoot(*this, term.op);
  Split parts;
  if (!x || sideOf(x) != Side::Pair || !split(*this, x, parts) ||
      parts.row.empty() || parts.key.empty())
    return;
  // A key that is taken off shares the panels of the key itself.
  double sign = parts.key.front().factor < 0 ? -1.0 : 1.0;
  for (SidedVector::Part &part : parts.key)
    part.factor *= sign;
  for (SidedVector::Part &part : parts.row)
    part.factor *= 2.0 * sign;
  unsigned row = addVector({parts.row, false, parts.rowSide, widthOf(x)});
  unsigned key = addVector({parts.key, false, Side::Key, widthOf(x)});
  term.products = {{row, key}};
  term.squares = {
      .rowSum = addScalar({SidedScalar::SquareSum, {}, row, parts.rowSide}),
      .keySum = addScalar({SidedScalar::SquareSum, {}, key, Side::Key})};
}
