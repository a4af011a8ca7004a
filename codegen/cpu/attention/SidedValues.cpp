// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Computes what depends on a query or a key alone.

#include "codegen/cpu/attention/SidedValues.h"

#include "codegen/cpu/tiles/Transpose.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

RegionPoint attn::cpu::regionPoint(AttentionState &s, const HeadRows &rows,
                                   Value i, Value j) {
  RegionPoint point;
  point.arguments.resize(2 * s.form.queries.size());
  llvm::append_range(point.arguments,
                     ArrayRef<Value>{rows.batch, rows.head, i, j, s.m, s.n});
  llvm::append_range(point.arguments, s.form.captures);
  return point;
}

namespace {

/// One query or one key: what regions are evaluated on while it is hoisted.
class OneSide {
public:
  OneSide(AttentionState &s, const HeadRows &rows, Side side, Value token);

  /// sum of factor * part along the width.
  Value exponents(const SidedVector &vector, Value position, Value mask);
  Value expression(Value scalar);
  void compute(ArrayRef<Value> roots) {
    values.compute(roots, [&](Value leaf, const ElementPoint &at) {
      return read(leaf, at);
    });
    s.failed |= values.failed();
  }

private:
  static RegionPoint pointOf(AttentionState &s, const HeadRows &rows, Side side,
                             Value token);
  /// Elements of the query or key itself.
  Value read(Value leaf, const ElementPoint &at);

  AttentionState &s;
  HeadRows rows;
  Side side;
  Value token;
  RegionValues values;
};

} // namespace

OneSide::OneSide(AttentionState &s, const HeadRows &rows, Side side,
                 Value token)
    : s(s), rows(rows), side(side), token(token),
      values(s.b, s.form.program, pointOf(s, rows, side, token)) {}

RegionPoint OneSide::pointOf(AttentionState &s, const HeadRows &rows, Side side,
                             Value token) {
  RegionPoint point = regionPoint(s, rows, side == Side::Row ? token : Value(),
                                  side == Side::Key ? token : Value());
  unsigned vectors = 2 * s.form.queries.size();
  point.hasVector = [vectors](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getArgNumber() < vectors;
  };
  return point;
}

Value OneSide::read(Value leaf, const ElementPoint &at) {
  unsigned number = cast<BlockArgument>(leaf).getArgNumber();
  Value memory = (side == Side::Row ? s.form.queries : s.form.keys)[number / 2];
  SmallVector<Value> place =
      side == Side::Row ? rows.queryPlace(s.b, token) : s.keyPlace(rows, token);
  place.push_back(at.position);
  return s.b.load(memory, place, at.mask);
}

Value OneSide::exponents(const SidedVector &vector, Value position,
                         Value mask) {
  TileBuilder &b = s.b;
  ElementPoint at{position, true, mask, {}};
  auto leaf = [&](Value value) { return read(value, at); };
  at.vector = leaf;
  Value sum;
  for (const SidedVector::Part &part : vector.parts) {
    Value x = b.splat(values.element(part.vector, at));
    Value factor = b.splat(part.factor);
    if (sum)
      sum = b.fma(x, factor, sum);
    else
      sum = part.factor == 1.0 ? x : arith::MulFOp::create(b, x, factor);
  }
  s.failed |= values.failed();
  return sum;
}

Value OneSide::expression(Value scalar) {
  compute(scalar);
  return values.scalar(scalar);
}

static SmallVector<Value> rootsOf(const SidedVector &vector) {
  SmallVector<Value> roots;
  for (const SidedVector::Part &part : vector.parts)
    roots.push_back(part.vector);
  return roots;
}

static Value finished(TileBuilder &b, const SidedVector &vector, Value x) {
  return vector.isExponential ? Value(math::ExpOp::create(b, x)) : x;
}

/// The scalars that are read off a vector while it is computed.
static SmallVector<unsigned> scalarsOf(const ScoreProgram &program,
                                       unsigned vector) {
  SmallVector<unsigned> found;
  for (auto [i, scalar] : llvm::enumerate(program.scalars()))
    if (scalar.kind != SidedScalar::Expression && scalar.vector == vector)
      found.push_back(i);
  return found;
}

/// Takes another 16 elements into what is read off a vector. A NaN stays.
static Value accumulate(TileBuilder &b, const SidedScalar &scalar, Value x,
                        Value so_far) {
  if (scalar.kind == SidedScalar::Sum)
    return arith::AddFOp::create(b, so_far, x);
  if (scalar.kind == SidedScalar::SquareSum)
    return b.fma(x, x, so_far);
  Value size = math::AbsFOp::create(b, x);
  return arith::MaximumFOp::create(b, so_far, size);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static void computeRowVector(AttentionState &s, OneSide &side, unsigned index,
                             Value row) {
  TileBuilder &b = s.b;
  const ScoreProgram &program = s.form.program;
  const SidedVector &vector = program.vectors()[index];
  side.compute(rootsOf(vector));
  SmallVector<unsigned> scalars = scalarsOf(program, index);
  SmallVector<Value> zeros(scalars.size(), b.splat(0.0));
  SmallVector<Value> totals = b.forLanes(
      b.idx(vector.width), zeros,
      [&](Value position, Value mask, ValueRange so_far) {
        Value x = side.exponents(vector, position, mask);
        b.store(finished(b, vector, x), s.scratch.vectors[index],
                {row, position});
        if (mask)
          x = arith::SelectOp::create(b, mask, x, b.splat(0.0));
        SmallVector<Value> next;
        for (auto [scalar, total] : llvm::zip(scalars, so_far))
          next.push_back(accumulate(b, program.scalars()[scalar], x, total));
        return next;
      });
  for (auto [scalar, total] : llvm::zip(scalars, totals)) {
    bool isRange = program.scalars()[scalar].kind == SidedScalar::Range;
    Value number = b.reduce(total, isRange ? Reduction::Max : Reduction::Sum);
    memref::StoreOp::create(b, number, s.scratch.scalars[scalar], row);
  }
}

/// All that is sided to `side`, Head or Row, into row `row` of its buffers.
static void computeSide(AttentionState &s, const HeadRows &rows, Side side,
                        Value row, Value token) {
  const ScoreProgram &program = s.form.program;
  OneSide one(s, rows, Side::Row, token);
  for (auto [i, vector] : llvm::enumerate(program.vectors()))
    if (vector.side == side)
      computeRowVector(s, one, i, row);
  for (auto [i, scalar] : llvm::enumerate(program.scalars()))
    if (scalar.side == side && scalar.kind == SidedScalar::Expression)
      memref::StoreOp::create(s.b, one.expression(scalar.expression),
                              s.scratch.scalars[i], row);
}

void attn::cpu::computeRows(AttentionState &s, const HeadRows &rows) {
  computeSide(s, rows, Side::Head, s.b.idx(0), {});
  s.b.forRange(rows.count, [&](Value row) {
    HeadRows own = rows.only(s.b, row);
    computeSide(s, own, Side::Row, row, own.first);
  });
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

/// 16 keys of a vector as a panel [D][16].
static void packPanel(AttentionState &s, MutableArrayRef<OneSide> keys,
                      unsigned index, Value panel) {
  TileBuilder &b = s.b;
  const ScoreProgram &program = s.form.program;
  const SidedVector &vector = program.vectors()[index];
  SmallVector<unsigned> scalars = scalarsOf(program, index);
  for (OneSide &key : keys)
    key.compute(rootsOf(vector));
  auto block = [&](Value column, int64_t width, ValueRange so_far) {
    Value mask = width < kPanelWidth ? b.laneMask(b.idx(width)) : Value();
    SmallVector<Value> elements;
    for (OneSide &key : keys)
      elements.push_back(key.exponents(vector, column, mask));
    transpose16(b, elements);
    SmallVector<Value> next(so_far);
    for (int64_t i = 0; i < width; ++i) {
      b.store(finished(b, vector, elements[i]), s.scratch.vectors[index],
              {panel, b.add(column, i), b.idx(0)});
      for (auto [scalar, total] : llvm::zip(scalars, next))
        total = accumulate(b, program.scalars()[scalar], elements[i], total);
    }
    return next;
  };
  int64_t full = vector.width / kPanelWidth * kPanelWidth;
  SmallVector<Value> totals(scalars.size(), b.splat(0.0));
  totals = b.forRange(b.idx(0), b.idx(full), b.idx(kPanelWidth), totals,
                      [&](Value column, ValueRange so_far) {
                        return block(column, kPanelWidth, so_far);
                      });
  if (full < vector.width)
    totals = block(b.idx(full), vector.width - full, totals);
  for (auto [scalar, total] : llvm::zip(scalars, totals))
    b.store(total, s.scratch.scalars[scalar], b.mul(panel, kPanelWidth));
}

/// Keys beyond the last repeat it: their scores are masked later.
static void packVectors(AttentionState &s, const HeadRows &rows, Value first) {
  TileBuilder &b = s.b;
  Value lastKey = b.sub(s.n, b.idx(1));
  Value panel = b.div(s.packedKey(first), kPanelWidth);
  SmallVector<OneSide, kPanelWidth> keys;
  for (int64_t i = 0; i < kPanelWidth; ++i)
    keys.emplace_back(s, rows, Side::Key, b.min(b.add(first, i), lastKey));
  for (auto [i, vector] : llvm::enumerate(s.form.program.vectors()))
    if (vector.side == Side::Key)
      packPanel(s, keys, i, panel);
}

void attn::cpu::packKeys(AttentionState &s, const HeadRows &rows, Value first,
                         Value count) {
  TileBuilder &b = s.b;
  ArrayRef<SidedScalar> scalars = s.form.program.scalars();
  auto isOwn = [](const SidedScalar &scalar) {
    return scalar.side == Side::Key && scalar.kind == SidedScalar::Expression;
  };
  Value end = b.add(first, b.mul(b.ceilDiv(count, kPanelWidth), kPanelWidth));
  b.forRange(first, end, b.idx(kPanelWidth),
             [&](Value key) { packVectors(s, rows, key); });
  if (llvm::none_of(scalars, isOwn))
    return;
  Value lastKey = b.sub(s.n, b.idx(1));
  b.forRange(first, end, b.idx(1), [&](Value key) {
    OneSide one(s, rows, Side::Key, b.min(key, lastKey));
    for (auto [i, scalar] : llvm::enumerate(scalars))
      if (isOwn(scalar))
        memref::StoreOp::create(b, one.expression(scalar.expression),
                                s.scratch.scalars[i], s.packedKey(key));
  });
}
