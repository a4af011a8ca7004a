// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums over the width for each pair of query and key, in register tiles: rows
// by 16 keys, one accumulator for each pair.

#include "codegen/cpu/attention/PairTerms.h"

#include "codegen/cpu/attention/SidedValues.h"
#include "codegen/cpu/tiles/RowTiles.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

RegionPoint attn::cpu::pairPoint(AttentionState &s, const HeadRows &rows,
                                 const Chunk &chunk, const PairLanes &at) {
  Value key = s.b.add(chunk.first, at.column);
  HeadRows own = rows.only(s.b, at.row);
  RegionPoint point = regionPoint(s, own, own.first, s.b.laneIndices(key));
  point.mask = at.mask;
  point.scalar = [&s, at, key](Value value) -> Value {
    const ScoreProgram &program = s.form.program;
    if (std::optional<unsigned> term = program.termOf(value))
      return s.b.load(s.scratch.terms[*term], {at.row, at.column});
    std::optional<unsigned> index = program.scalarOf(value);
    if (!index)
      return {};
    Value memory = s.scratch.scalars[*index];
    Side side = program.scalars()[*index].side;
    if (side == Side::Key)
      return s.b.load(memory, s.packedKey(key));
    return s.b.loadScalar(memory, side == Side::Row ? at.row : s.b.idx(0));
  };
  return point;
}

namespace {

/// One tile: rows [row, row + height) by the 16 keys from `column` on.
class PairTile {
public:
  enum Form { Direct, WithFactors };

  PairTile(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
           unsigned term, Form form, Value row, int height, Value column);

  /// The sums, a vector of 16 keys for each row.
  SmallVector<Value> emit();

private:
  /// Elements of sided vectors at one position, each loaded once.
  struct Elements {
    explicit Elements(Value position) : position(position) {}
    Value position;
    llvm::DenseMap<std::pair<unsigned, int>, Value> loaded;
  };
  RegionPoint point(int r);
  const Factored *factoredAs(Value value) const;
  Value load(unsigned vector, int r, Elements &elements);
  Value power(const Factored &factored, int r, Elements &elements);
  Value read(Value value, int r, Elements &elements);
  Value operand(int r, unsigned number, Elements &elements);
  SmallVector<Value> generalSums();
  struct Fraction {
    Value numerator, denominator;
  };
  Fraction fraction(int r, Value position);
  Fraction fractions(int r, int count, Value position);
  SmallVector<Value> fractionSums();
  Value weightSum(int r);
  SmallVector<Value> logisticSums();

  AttentionState &s;
  TileBuilder &b;
  HeadRows rows;
  Chunk chunk;
  const PairTerm &term;
  Form form;
  Value row, column, panel;
  int height;
  int64_t width;
  std::vector<RegionValues> values; ///< for each row
};

} // namespace

PairTile::PairTile(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                   unsigned index, Form form, Value row, int height,
                   Value column)
    : s(s), b(s.b), rows(rows), chunk(chunk),
      term(s.form.program.terms()[index]), form(form), row(row), column(column),
      panel(b.div(s.packedKey(b.add(chunk.first, column)), kPanelWidth)),
      height(height),
      width(cast<RankedTensorType>(term.op->getOperand(0).getType())
                .getDimSize(0)) {
  SmallVector<Value> roots(term.op->getOperands());
  for (int r = 0; r < height; ++r) {
    values.emplace_back(b, s.form.program, point(r));
    values.back().compute(roots);
    s.failed |= values.back().failed();
  }
}

RegionPoint PairTile::point(int r) {
  Value mask = b.laneMask(b.sub(chunk.count, column));
  RegionPoint result = pairPoint(s, rows, chunk, {b.add(row, r), column, mask});
  result.hasVector = [this](Value value) {
    return factoredAs(value) || s.form.program.vectorOf(value);
  };
  return result;
}

const Factored *PairTile::factoredAs(Value value) const {
  if (form == WithFactors)
    for (const Factored &factored : term.factored)
      if (factored.op == value.getDefiningOp())
        return &factored;
  return nullptr;
}

Value PairTile::load(unsigned vector, int r, Elements &elements) {
  Side side = s.form.program.vectors()[vector].side;
  int which = side == Side::Row ? r : 0;
  Value &value = elements.loaded[{vector, which}];
  if (value)
    return value;
  Value memory = s.scratch.vectors[vector];
  if (side == Side::Key)
    return value = b.load(memory, {panel, elements.position, b.idx(0)});
  Value at = side == Side::Row ? b.add(row, r) : b.idx(0);
  return value = b.splat(b.loadScalar(memory, {at, elements.position}));
}

Value PairTile::power(const Factored &factored, int r, Elements &elements) {
  return arith::MulFOp::create(b, load(factored.rowVector, r, elements),
                               load(factored.keyVector, r, elements));
}

/// A vector's element: of a sided vector, or of what is factored.
Value PairTile::read(Value value, int r, Elements &elements) {
  const Factored *factored = factoredAs(value);
  if (!factored)
    return load(*s.form.program.vectorOf(value), r, elements);
  Value x = power(*factored, r, elements);
  if (isa<math::ExpOp>(factored->op))
    return x;
  // tanh(x) = 1 - 2 / (1 + e^2x)
  Value more = arith::AddFOp::create(b, x, b.splat(1.0));
  Value part = arith::DivFOp::create(b, b.splat(2.0), more);
  return arith::SubFOp::create(b, b.splat(1.0), part);
}

Value PairTile::operand(int r, unsigned number, Elements &elements) {
  ElementPoint at{elements.position, false, {}, {}};
  auto leaf = [&](Value value) { return read(value, r, elements); };
  at.vector = leaf;
  Value x = b.splat(values[r].element(term.op->getOperand(number), at));
  s.failed |= values[r].failed();
  return x;
}

SmallVector<Value> PairTile::generalSums() {
  bool isDot = isa<DotOp>(term.op);
  bool isSquare = isDot && term.op->getOperand(0) == term.op->getOperand(1);
  SmallVector<Value> zeros(height, b.splat(0.0));
  return b.forRange(b.idx(0), b.idx(width), b.idx(1), zeros,
                    [&](Value d, ValueRange sums) {
                      Elements elements(d);
                      SmallVector<Value> next;
                      for (int r = 0; r < height; ++r) {
                        Value x = operand(r, 0, elements);
                        if (!isDot) {
                          next.push_back(arith::AddFOp::create(b, sums[r], x));
                          continue;
                        }
                        Value y = isSquare ? x : operand(r, 1, elements);
                        next.push_back(b.fma(x, y, sums[r]));
                      }
                      return next;
                    });
}

/// w / (1 + e^x) at one position. Denominators stay below e^21, so that the
/// product of four is finite.
PairTile::Fraction PairTile::fraction(int r, Value position) {
  const Factored &factored = term.factored.front();
  Elements elements(position);
  Value one = b.splat(1.0), most = b.splat(1.3e9);
  Value denominator = b.fma(load(factored.rowVector, r, elements),
                            load(factored.keyVector, r, elements), one);
  Value isMore =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, most, denominator);
  denominator = arith::SelectOp::create(b, isMore, most, denominator);
  std::optional<unsigned> weight = term.logistic->weight;
  return {weight ? load(*weight, r, elements) : one, denominator};
}

/// The sum of `count` fractions, a power of two, over one denominator.
PairTile::Fraction PairTile::fractions(int r, int count, Value position) {
  if (count == 1)
    return fraction(r, position);
  Fraction x = fractions(r, count / 2, position);
  Fraction y = fractions(r, count / 2, b.add(position, count / 2));
  Value left = arith::MulFOp::create(b, x.numerator, y.denominator);
  return {b.fma(y.numerator, x.denominator, left),
          arith::MulFOp::create(b, x.denominator, y.denominator)};
}

/// sum w / (1 + e^x), four terms to a division.
SmallVector<Value> PairTile::fractionSums() {
  auto add = [&](Value position, int count, ValueRange sums) {
    SmallVector<Value> next;
    for (int r = 0; r < height; ++r) {
      auto [numerator, denominator] = fractions(r, count, position);
      Value part = arith::DivFOp::create(b, numerator, denominator);
      next.push_back(arith::AddFOp::create(b, sums[r], part));
    }
    return next;
  };
  int64_t whole = width / 4 * 4;
  SmallVector<Value> sums(height, b.splat(0.0));
  sums =
      b.forRange(b.idx(0), b.idx(whole), b.idx(4), sums,
                 [&](Value d, ValueRange so_far) { return add(d, 4, so_far); });
  if (width % 4 >= 2)
    sums = add(b.idx(whole), 2, sums);
  if (width % 2)
    sums = add(b.idx(width - 1), 1, sums);
  return sums;
}

/// sum_d w_d of a tile's row.
Value PairTile::weightSum(int r) {
  std::optional<unsigned> index = term.logistic->weightSum;
  if (!index)
    return b.splat(double(width));
  bool perRow = s.form.program.scalars()[*index].side == Side::Row;
  return b.splat(b.loadScalar(s.scratch.scalars[*index],
                              perRow ? b.add(row, r) : b.idx(0)));
}

SmallVector<Value> PairTile::logisticSums() {
  SmallVector<Value> sums = fractionSums();
  // tanh(x) = 1 - 2 / (1 + e^2x)
  if (isa<math::TanhOp>(term.factored.front().op))
    for (int r = 0; r < height; ++r)
      sums[r] = b.fma(b.splat(-2.0), sums[r], weightSum(r));
  return sums;
}

SmallVector<Value> PairTile::emit() {
  return form == WithFactors && term.logistic ? logisticSums() : generalSums();
}

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

/// Rows of a tile: expressions need more registers than products do. Every
/// height is code of its own, so that many sums have low tiles.
static int tileRows(const AttentionState &s) {
  constexpr int kMostRows = 48;
  int terms = s.form.program.terms().size();
  return std::clamp(s.b.target.attention.rows / 2, 1,
                    std::max(1, kMostRows / terms));
}

/// A scalar of the row's side, in every lane.
static Value rowScalar(AttentionState &s, unsigned index, Value row) {
  bool perRow = s.form.program.scalars()[index].side == Side::Row;
  return s.b.splat(
      s.b.loadScalar(s.scratch.scalars[index], perRow ? row : s.b.idx(0)));
}

/// The pairs of a row and 16 keys whose exponents are too large to factor.
static Value exceedsRange(AttentionState &s, const PairTerm &term, Value row,
                          Value key) {
  TileBuilder &b = s.b;
  Value any;
  for (const Factored &factored : term.factored) {
    Value keyRange = b.load(s.scratch.scalars[factored.keyRange], key);
    Value range = arith::AddFOp::create(b, rowScalar(s, factored.rowRange, row),
                                        keyRange);
    // True for NaN, too.
    Value exceeds = arith::CmpFOp::create(b, arith::CmpFPredicate::UGE, range,
                                          b.splat(factored.limit));
    any = any ? arith::OrIOp::create(b, any, exceeds) : exceeds;
  }
  return any;
}

/// Puts the direct sums where `isWrong` says so, of a row and 16 keys.
static void repair(AttentionState &s, const HeadRows &rows, const Chunk &chunk,
                   unsigned index, Value row, Value column, Value isWrong) {
  TileBuilder &b = s.b;
  Value any =
      vector::ReductionOp::create(b, vector::CombiningKind::OR, isWrong);
  b.ifThen(any, [&] {
    PairTile tile(s, rows, chunk, index, PairTile::Direct, row, 1, column);
    Value direct = tile.emit().front();
    Value sums = s.scratch.terms[index];
    Value others = b.load(sums, {row, column});
    b.store(arith::SelectOp::create(b, isWrong, direct, others), sums,
            {row, column});
  });
}

void attn::cpu::sumPairs(AttentionState &s, const HeadRows &rows,
                         const Chunk &chunk, const KeyRun &run,
                         unsigned index) {
  TileBuilder &b = s.b;
  bool isFactored = !s.form.program.terms()[index].factored.empty();
  auto form = isFactored ? PairTile::WithFactors : PairTile::Direct;
  RowTiles tiles(b, b.idx(0), rows.count, tileRows(s));
  Value width = b.mul(b.ceilDiv(run.count, kPanelWidth), kPanelWidth);
  Value end = b.add(run.column, width);
  b.forRange(run.column, end, b.idx(kPanelWidth), [&](Value column) {
    tiles.emit(b, [&](Value row, int height) {
      PairTile tile(s, rows, chunk, index, form, row, height, column);
      for (auto [r, sum] : llvm::enumerate(tile.emit()))
        b.store(sum, s.scratch.terms[index], {b.add(row, r), column});
    });
    if (isFactored)
      b.forRange(rows.count, [&](Value row) {
        Value key = s.packedKey(b.add(chunk.first, column));
        Value exceeds =
            exceedsRange(s, s.form.program.terms()[index], row, key);
        repair(s, rows, chunk, index, row, column, exceeds);
      });
  });
}

void attn::cpu::finishSquares(AttentionState &s, const HeadRows &rows,
                              const Chunk &chunk, const KeyRun &run,
                              unsigned index) {
  TileBuilder &b = s.b;
  const PairTerm::Squares &squares = *s.form.program.terms()[index].squares;
  Value sums = s.scratch.terms[index];
  Value width = b.mul(b.ceilDiv(run.count, kPanelWidth), kPanelWidth);
  b.forRange(rows.count, [&](Value row) {
    Value own = arith::MulFOp::create(b, rowScalar(s, squares.rowSum, row),
                                      b.splat(squares.rowFactor));
    b.forRange(
        run.column, b.add(run.column, width), b.idx(kPanelWidth),
        [&](Value column) {
          Value key = s.packedKey(b.add(chunk.first, column));
          Value both = arith::AddFOp::create(
              b, own, b.load(s.scratch.scalars[squares.keySum], key));
          Value sum =
              arith::AddFOp::create(b, both, b.load(sums, {row, column}));
          b.store(sum, sums, {row, column});
          Value least = arith::MulFOp::create(b, both, b.splat(squares.least));
          // True for NaN, too.
          Value cancels =
              arith::CmpFOp::create(b, arith::CmpFPredicate::ULT, sum, least);
          repair(s, rows, chunk, index, row, column, cancels);
        });
  });
}
