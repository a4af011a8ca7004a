// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plans an attention's regions: what is hoisted to a query row or a key, and
// which sums over the width remain for each pair.

#include "codegen/attention/ScoreProgram.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace attn;

static Side operator|(Side a, Side b) {
  return Side(unsigned(a) | unsigned(b));
}

static bool isReduction(Operation *op) { return isa<DotOp, SumOp>(op); }

/// Constants and repeated numbers need no memory; other elements than f32 are
/// computed where they are used.
static bool isInline(Value vector) {
  Operation *op = vector.getDefiningOp();
  if (!getElementTypeOrSelf(vector.getType()).isF32())
    return true;
  return op &&
         (isa<tensor::SplatOp>(op) || op->hasTrait<OpTrait::ConstantLike>());
}

//===----------------------------------------------------------------------===//
// Numbering
//===----------------------------------------------------------------------===//

ScoreProgram::ScoreProgram(AttentionOp op) : op(op) {
  SmallVector<Region *> regions;
  for (Region *region : {&op.getScore(), &op.getKeep(), &op.getWeight()})
    if (!region->empty())
      regions.push_back(region);
  for (Region *region : regions)
    number(*region);
  for (Region *region : regions)
    plan(*region);
  for (PairTerm &term : pairTerms) {
    factor(term);
    findLogistic(term);
    findSquares(term);
  }
}

/// What argument `index` of every region varies with.
static Side sideOfArgument(AttentionOp op, unsigned index) {
  unsigned vectors = 2 * op.getQueries().size();
  unsigned all = vectors + 6 + op.getCaptures().size();
  if (index < vectors)
    return index % 2 ? Side::Key : Side::Row;
  if (index == vectors + 2)
    return Side::Row;
  if (index == vectors + 3)
    return Side::Key;
  return index < all ? Side::Head : Side::Pair; // the normalised weight
}

void ScoreProgram::number(Region &region) {
  Block &block = region.front();
  for (BlockArgument argument : block.getArguments()) {
    unsigned index = argument.getArgNumber();
    Block &first = op.getScore().front();
    bool shared = index < first.getNumArguments();
    representatives[argument] = shared ? first.getArgument(index) : argument;
    sides[argument] = sideOfArgument(op, index);
  }
  for (Operation &inner : block.without_terminator()) {
    Side side = Side::Head;
    bool reduces = isReduction(&inner);
    std::vector<const void *> operands;
    for (Value operand : inner.getOperands()) {
      side = side | sides.lookup(operand);
      reduces |= reductions.contains(operand);
      operands.push_back(representatives.lookup(operand).getAsOpaquePointer());
    }
    if (inner.getNumResults() == 1) {
      Value result = inner.getResult(0);
      Key key{inner.getName().getAsOpaquePointer(),
              inner.getAttrDictionary().getAsOpaquePointer(),
              result.getType().getAsOpaquePointer(), operands};
      Value &representative = numbered[key];
      if (!representative || inner.getNumRegions() != 0) {
        representative = result;
        ordered.push_back(&inner);
      }
      representatives[result] = representative;
      sides[result] = side;
      if (reduces)
        reductions.insert(result);
    }
  }
}

Value ScoreProgram::representative(Value value) const {
  auto it = representatives.find(value);
  return it == representatives.end() ? value : it->second;
}

Side ScoreProgram::sideOf(Value value) const { return sides.lookup(value); }

//===----------------------------------------------------------------------===//
// What is needed
//===----------------------------------------------------------------------===//

unsigned ScoreProgram::addVector(SidedVector vector) {
  auto it = llvm::find(sidedVectors, vector);
  if (it == sidedVectors.end())
    it = sidedVectors.insert(it, std::move(vector));
  return it - sidedVectors.begin();
}

unsigned ScoreProgram::addScalar(SidedScalar scalar) {
  auto it = llvm::find(sidedScalars, scalar);
  if (it == sidedScalars.end())
    it = sidedScalars.insert(it, scalar);
  return it - sidedScalars.begin();
}

static int64_t widthOf(Value vector) {
  return cast<RankedTensorType>(vector.getType()).getDimSize(0);
}

static SidedVector wholeVector(Value vector, Side side) {
  return {{{vector, 1.0}}, false, side, widthOf(vector)};
}

/// From what the region yields down to what is sided.
void ScoreProgram::plan(Region &region) {
  SmallVector<Value> work(region.front().getTerminator()->getOperands());
  DenseSet<Value> seen;
  DenseSet<Operation *> needed;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    Side side = sideOf(value);
    bool isTensor = isa<RankedTensorType>(value.getType());
    if (side != Side::Pair && isTensor && !isInline(value)) {
      addVector(wholeVector(representative(value), side));
      continue;
    }
    if (side != Side::Pair && !isTensor && reductions.contains(value)) {
      addScalar({SidedScalar::Expression, representative(value), 0, side});
      continue;
    }
    Operation *producer = value.getDefiningOp();
    if (!producer)
      continue;
    needed.insert(producer);
    for (Value operand : producer->getOperands()) {
      // A captured tensor is memory, unless it is used as a vector.
      auto tensor = dyn_cast<RankedTensorType>(operand.getType());
      bool isMemory =
          tensor && isa<BlockArgument>(operand) &&
          isa<tensor::ExtractOp, tensor::ExtractSliceOp, tensor::DimOp>(
              producer);
      if (!isMemory)
        work.push_back(operand);
    }
  }
  for (Operation &inner : region.front().without_terminator())
    if (needed.contains(&inner) && isReduction(&inner) &&
        sideOf(inner.getResult(0)) == Side::Pair)
      addTerm(&inner);
}

void ScoreProgram::addTerm(Operation *inner) {
  inner = representative(inner->getResult(0)).getDefiningOp();
  if (termOf(inner->getResult(0)))
    return;
  PairTerm term{inner, {}, {}, {}, {}};
  if (auto dot = dyn_cast<DotOp>(inner)) {
    auto product = [&](Value row, Value key) {
      bool sided = sideOf(row) != Side::Pair && sideOf(key) == Side::Key;
      std::optional<unsigned> left = vectorOf(row), right = vectorOf(key);
      if (sided && left && right)
        term.products = {{*left, *right}};
    };
    product(dot.getA(), dot.getB());
    if (term.products.empty())
      product(dot.getB(), dot.getA());
  }
  pairTerms.push_back(std::move(term));
}

std::optional<unsigned> ScoreProgram::vectorOf(Value value) const {
  if (!isa<RankedTensorType>(value.getType()) || sideOf(value) == Side::Pair)
    return std::nullopt;
  auto it = llvm::find(sidedVectors,
                       wholeVector(representative(value), sideOf(value)));
  if (it == sidedVectors.end())
    return std::nullopt;
  return it - sidedVectors.begin();
}

std::optional<unsigned> ScoreProgram::scalarOf(Value value) const {
  value = representative(value);
  for (auto [i, scalar] : llvm::enumerate(sidedScalars))
    if (scalar.kind == SidedScalar::Expression && scalar.expression == value)
      return i;
  return std::nullopt;
}

std::optional<unsigned> ScoreProgram::termOf(Value value) const {
  Operation *producer = representative(value).getDefiningOp();
  for (auto [i, term] : llvm::enumerate(pairTerms))
    if (term.op == producer)
      return i;
  return std::nullopt;
}

bool ScoreProgram::reads(Region &region, unsigned term) const {
  if (region.empty())
    return false;
  Value sum = pairTerms[term].op->getResult(0);
  return llvm::any_of(region.front().without_terminator(), [&](Operation &op) {
    return op.getNumResults() == 1 && representative(op.getResult(0)) == sum;
  });
}

bool ScoreProgram::keysVaryWithHead() const {
  SmallVector<Value> work;
  for (const SidedVector &vector : sidedVectors)
    for (const SidedVector::Part &part : vector.parts)
      if (vector.side == Side::Key)
        work.push_back(part.vector);
  for (const SidedScalar &scalar : sidedScalars)
    if (scalar.side == Side::Key && scalar.expression)
      work.push_back(scalar.expression);
  AttentionOp attention = op;
  Value head =
      attention.getScore().getArgument(2 * attention.getQueries().size() + 1);
  DenseSet<Value> seen;
  while (!work.empty()) {
    Value value = representative(work.pop_back_val());
    if (value == head)
      return true;
    if (Operation *producer = value.getDefiningOp())
      if (seen.insert(value).second)
        llvm::append_range(work, producer->getOperands());
  }
  return false;
}
