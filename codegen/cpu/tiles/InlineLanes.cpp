// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies scalar regions into tile-level code, 16 elements at a time.

#include "codegen/cpu/tiles/TileBuilder.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static bool onLanes(Value value) { return isa<VectorType>(value.getType()); }

Value attn::cpu::readLanes(TileBuilder &b, Value buffer,
                           ArrayRef<Value> indices, Value mask) {
  if (llvm::none_of(indices, onLanes))
    return b.loadScalar(buffer, indices);
  Value base =
      onLanes(indices.back()) ? TileBuilder::laneBase(indices.back()) : Value();
  if (!base || llvm::any_of(indices.drop_back(), onLanes))
    return b.gather(buffer, indices, mask);
  SmallVector<Value> first(indices);
  first.back() = base;
  return b.load(buffer, first, mask);
}

static Value extract(TileBuilder &b, tensor::ExtractOp op, IRMapping &mapping,
                     Value mask) {
  Value buffer = mapping.lookupOrNull(op.getTensor());
  if (!buffer || !isa<MemRefType>(buffer.getType()))
    return {};
  SmallVector<Value> indices;
  for (Value index : op.getIndices())
    indices.push_back(mapping.lookup(index));
  return readLanes(b, buffer, indices, mask);
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

// Distances of keys are 16 numbers that follow one another. As f32 they are one
// number and a constant: few instruction sets convert 64 bits, and none fast.
// Both ways are exact below 2^24, and off by the last place beyond.

namespace {
/// base, base + 1, ... or, descending, base, base - 1, ...
struct Line {
  Value base;
  bool descends;
};
} // namespace

static std::optional<Line> lineOf(Value vector) {
  if (auto cast = vector.getDefiningOp<arith::IndexCastOp>())
    return lineOf(cast.getIn());
  if (Value base = TileBuilder::laneBase(vector))
    return Line{base, false};
  auto difference = vector.getDefiningOp<arith::SubIOp>();
  if (!difference || !difference.getRhs().getDefiningOp<vector::StepOp>())
    return std::nullopt;
  auto bases = difference.getLhs().getDefiningOp<vector::BroadcastOp>();
  return bases ? std::optional(Line{bases.getSource(), true}) : std::nullopt;
}

static Value createLine(TileBuilder &b, const Line &line) {
  if (!line.descends)
    return b.laneIndices(line.base);
  VectorType type = b.lanes(b.getIndexType());
  Value bases = vector::BroadcastOp::create(b, type, line.base);
  return arith::SubIOp::create(b, bases, vector::StepOp::create(b, type));
}

/// Whether the second line is what the first is below 0.
static bool areOpposite(const Line &line, const Line &other) {
  auto negated = other.base.getDefiningOp<arith::SubIOp>();
  return negated && isConstantIntValue(negated.getLhs(), 0) &&
         negated.getRhs() == line.base && line.descends != other.descends;
}

/// The sum or difference of a line and a number; null for others.
static Value moveLine(TileBuilder &b, Operation &op, Value x, Value y) {
  if (!isa<arith::AddIOp, arith::SubIOp>(op) || onLanes(x) == onLanes(y))
    return {};
  bool isSum = isa<arith::AddIOp>(op);
  std::optional<Line> line = lineOf(onLanes(x) ? x : y);
  Value number = onLanes(x) ? y : x;
  if (!line || !number.getType().isIndex())
    return {};
  if (isSum)
    return createLine(b, {b.add(line->base, number), line->descends});
  if (onLanes(x))
    return createLine(b, {b.sub(line->base, number), line->descends});
  return createLine(b, {b.sub(number, line->base), !line->descends});
}

/// A line, or how far it is from 0, as f32; null for others.
static Value floatsOfLine(TileBuilder &b, Value vector) {
  if (auto cast = vector.getDefiningOp<arith::IndexCastOp>())
    return floatsOfLine(b, cast.getIn());
  if (auto larger = vector.getDefiningOp<arith::MaxSIOp>()) {
    std::optional<Line> x = lineOf(larger.getLhs()),
                        y = lineOf(larger.getRhs());
    if (!x || !y || !(areOpposite(*x, *y) || areOpposite(*y, *x)))
      return {};
    return math::AbsFOp::create(b, floatsOfLine(b, larger.getLhs()));
  }
  std::optional<Line> line = lineOf(vector);
  if (!line)
    return {};
  Value base = arith::IndexCastOp::create(b, b.getI64Type(), line->base);
  base = b.splat(arith::SIToFPOp::create(b, b.getF32Type(), base));
  SmallVector<float> steps;
  for (int64_t lane = 0; lane < kPanelWidth; ++lane)
    steps.push_back(line->descends ? -lane : lane);
  Value ramp = arith::ConstantOp::create(
      b, DenseElementsAttr::get(b.lanes(), ArrayRef<float>(steps)));
  return arith::AddFOp::create(b, base, ramp);
}

static Value translatePosition(TileBuilder &b, Operation &op,
                               ArrayRef<Value> operands) {
  if (operands.size() == 2)
    return moveLine(b, op, operands[0], operands[1]);
  if (isa<arith::SIToFPOp>(op) && op.getResult(0).getType().isF32() &&
      onLanes(operands[0]))
    return floatsOfLine(b, operands[0]);
  return {};
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Value attn::cpu::elementwiseLanes(TileBuilder &b, Operation &op,
                                  ArrayRef<Value> operands) {
  if (op.getNumResults() != 1 || op.getNumRegions() != 0 || !isPure(&op) ||
      (!OpTrait::hasElementwiseMappableTraits(&op) && !isa<GeluOp>(op)))
    return {};
  if (Value position = translatePosition(b, op, operands))
    return position;
  Type element = getElementTypeOrSelf(op.getResult(0).getType());
  bool isScalar = llvm::none_of(operands, onLanes);
  SmallVector<Value> values(operands);
  for (Value &value : values)
    value = isScalar ? value : b.splat(value);
  Type type = isScalar ? element : Type(b.lanes(element));
  return b
      .create(op.getLoc(), op.getName().getIdentifier(), values, type,
              op.getAttrs())
      ->getResult(0);
}

static Value translate(TileBuilder &b, Operation &op, IRMapping &mapping,
                       Value mask) {
  if (auto load = dyn_cast<tensor::ExtractOp>(op))
    return extract(b, load, mapping, mask);
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    Value buffer = mapping.lookupOrNull(dim.getSource());
    std::optional<int64_t> index = dim.getConstantIndex();
    return buffer && index ? b.dim(buffer, *index) : Value();
  }
  if (op.hasTrait<OpTrait::ConstantLike>())
    return b.clone(op)->getResult(0);
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(mapping.lookup(operand));
  return elementwiseLanes(b, op, operands);
}

FailureOr<SmallVector<Value>> attn::cpu::inlineLanes(
    TileBuilder &b, Region &region, ValueRange arguments, Value mask,
    llvm::function_ref<Value(Operation &, IRMapping &)> custom) {
  Block &body = region.front();
  IRMapping mapping;
  for (auto [from, to] : llvm::zip(body.getArguments(), arguments))
    if (to)
      mapping.map(from, to);
  for (Operation &op : body.without_terminator()) {
    Value result = custom ? custom(op, mapping) : Value();
    if (!result)
      result = translate(b, op, mapping, mask);
    if (!result) {
      op.emitError("'") << op.getName() << "' has no form in a CPU kernel";
      return failure();
    }
    mapping.map(op.getResult(0), result);
  }
  SmallVector<Value> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}
