// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Interval analysis of a keep region: scalar index code for each operation.

#include "codegen/attention/KeepIntervals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

namespace {

/// Sizes and positions are below 2^kSizeBits: more floats fit no address space.
constexpr unsigned kSizeBits = 46;
/// Sums and products of more bits than this may wrap around.
constexpr unsigned kMaxBits = 62;
/// Elements of a capture are searched over this many rows or keys per row or
/// key of the tile; a longer search would cost more than it saves.
constexpr unsigned kMaxSpread = 2;

/// What an integer is on the tile, as index values.
struct Interval {
  Value low, high;
  Value known;     ///< a condition without which nothing is known; or null
  unsigned bits;   ///< |x| < 2^bits
  unsigned spread; ///< high - low <= spread * (rows + keys of the tile)

  bool isPoint() const { return low == high; }
};

class IntervalAnalysis {
public:
  IntervalAnalysis(ImplicitLocOpBuilder &b, const KeepTile &tile,
                   const CaptureSearch &search)
      : b(b), tile(tile), search(search) {}
  Verdict run(Region &keep);
  SmallVector<Operation *> obstacles(Region &keep) const;

private:
  using Bound = llvm::function_ref<Value(Value, Value)>;

  void bindArguments(Block &body);
  void visit(Operation &op);
  void visitCompare(arith::CmpIOp op);
  void visitLogic(Operation &op);
  void visitSelect(arith::SelectOp op);
  void visitExtract(tensor::ExtractOp op);
  void visitArithmetic(Operation &op);
  void visitCast(Operation &op);

  const Interval *interval(Value value) const {
    auto it = intervals.find(value);
    return it == intervals.end() ? nullptr : &it->second;
  }
  Verdict truth(Value value) const {
    auto it = truths.find(value);
    return it == truths.end() ? unknown() : it->second;
  }
  void define(Value value, Interval interval);

  Interval point(Value index, unsigned bits = kSizeBits) const {
    return {index, index, {}, bits, 0};
  }
  Interval combine(const Interval &x, const Interval &y, Bound low, Bound high,
                   unsigned bits, unsigned spread) const;
  Interval product(const Interval &x, const Interval &y) const;

  Verdict unknown() const { return {constant(false), constant(false)}; }
  Value constant(bool value) const {
    return arith::ConstantOp::create(b, b.getBoolAttr(value));
  }
  /// Null is true.
  Value both(Value x, Value y) const {
    return !x ? y : !y ? x : folded<arith::AndIOp>(x, y);
  }
  Value either(Value x, Value y) const { return folded<arith::OrIOp>(x, y); }
  /// Constants fold on the right only.
  template <typename Op> Value folded(Value x, Value y) const {
    if (matchPattern(x, m_Constant()))
      std::swap(x, y);
    return b.createOrFold<Op>(x, y);
  }
  Value index(int64_t value) const {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value sum(Value x, Value y) const {
    return b.createOrFold<arith::AddIOp>(x, y);
  }
  Value difference(Value x, Value y) const {
    return b.createOrFold<arith::SubIOp>(x, y);
  }
  Value times(Value x, Value y) const {
    return b.createOrFold<arith::MulIOp>(x, y);
  }
  Value sizeOf(Value buffer, int64_t dimension) const {
    return b.createOrFold<memref::DimOp>(buffer, dimension);
  }
  Value compare(arith::CmpIPredicate predicate, Value x, Value y) const {
    return b.createOrFold<arith::CmpIOp>(predicate, x, y);
  }
  Value least(Value x, Value y) const {
    return b.createOrFold<arith::MinSIOp>(x, y);
  }
  Value most(Value x, Value y) const {
    return b.createOrFold<arith::MaxSIOp>(x, y);
  }

  ImplicitLocOpBuilder &b;
  const KeepTile &tile;
  const CaptureSearch &search;
  llvm::DenseMap<Value, Interval> intervals; ///< of integers
  llvm::DenseMap<Value, Verdict> truths;     ///< of conditions
  llvm::DenseMap<Value, Value> captures;
};

std::optional<int64_t> constantOf(Value value) {
  APInt constant;
  if (!matchPattern(value, m_ConstantInt(&constant)) ||
      constant.getSignificantBits() > 64)
    return std::nullopt;
  return constant.getSExtValue();
}

unsigned bitsOf(int64_t value) {
  return 64 - llvm::countl_zero(uint64_t(value < 0 ? ~value : value));
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

/// Forgets what may wrap around in the value's type.
void IntervalAnalysis::define(Value value, Interval interval) {
  Type type = value.getType();
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  if (interval.bits <= kMaxBits && interval.bits < width)
    intervals.try_emplace(value, interval);
}

Interval IntervalAnalysis::combine(const Interval &x, const Interval &y,
                                   Bound low, Bound high, unsigned bits,
                                   unsigned spread) const {
  Interval result;
  result.low = low(x.low, y.low);
  result.high = x.isPoint() && y.isPoint() ? result.low : high(x.high, y.high);
  result.known = both(x.known, y.known);
  result.bits = bits;
  result.spread = spread;
  return result;
}

Interval IntervalAnalysis::product(const Interval &x, const Interval &y) const {
  if (x.isPoint() && y.isPoint()) {
    Value value = times(x.low, y.low);
    return {value, value, both(x.known, y.known), x.bits + y.bits,
            std::max(x.spread, y.spread)};
  }
  Value corners[] = {times(x.low, y.low), times(x.low, y.high),
                     times(x.high, y.low), times(x.high, y.high)};
  Interval result{corners[0], corners[0], both(x.known, y.known),
                  x.bits + y.bits, kMaxSpread + 1};
  for (Value corner : ArrayRef(corners).drop_front()) {
    result.low = least(result.low, corner);
    result.high = most(result.high, corner);
  }
  return result;
}

void IntervalAnalysis::visitArithmetic(Operation &op) {
  const Interval *x = interval(op.getOperand(0));
  const Interval *y = interval(op.getOperand(1));
  if (!x || !y)
    return;
  unsigned bits = std::max(x->bits, y->bits);
  unsigned together = x->spread + y->spread;
  unsigned wider = std::max(x->spread, y->spread);
  auto add = [&](Value a, Value c) { return sum(a, c); };
  auto subtract = [&](Value a, Value c) { return difference(a, c); };
  auto lesser = [&](Value a, Value c) { return least(a, c); };
  auto greater = [&](Value a, Value c) { return most(a, c); };
  Value result = op.getResult(0);
  llvm::TypeSwitch<Operation *>(&op)
      .Case([&](arith::AddIOp) {
        define(result, combine(*x, *y, add, add, bits + 1, together));
      })
      .Case([&](arith::SubIOp) {
        Interval swapped = *y;
        std::swap(swapped.low, swapped.high);
        define(result,
               combine(*x, swapped, subtract, subtract, bits + 1, together));
      })
      .Case([&](arith::MinSIOp) {
        define(result, combine(*x, *y, lesser, lesser, bits, wider));
      })
      .Case([&](arith::MaxSIOp) {
        define(result, combine(*x, *y, greater, greater, bits, wider));
      })
      .Case([&](arith::MulIOp) { define(result, product(*x, *y)); })
      .Case([&](arith::FloorDivSIOp) {
        if (constantOf(op.getOperand(1)).value_or(0) <= 0)
          return;
        auto divide = [&](Value a, Value c) {
          return b.createOrFold<arith::FloorDivSIOp>(a, c);
        };
        define(result, combine(*x, *y, divide, divide, bits, wider));
      });
}

void IntervalAnalysis::visitCast(Operation &op) {
  Value from = op.getOperand(0), to = op.getResult(0);
  if (const Interval *x = interval(from); x && !isa<arith::ExtUIOp>(op))
    return define(to, *x);
  if (!isa<arith::ExtUIOp>(op) || !from.getType().isInteger(1))
    return;
  Verdict condition = truth(from);
  Value low =
      b.createOrFold<arith::SelectOp>(condition.all, index(1), index(0));
  Value high =
      b.createOrFold<arith::SelectOp>(condition.none, index(0), index(1));
  define(to, {low, high, {}, 1, kMaxSpread + 1});
}

void IntervalAnalysis::visitExtract(tensor::ExtractOp op) {
  Value buffer = captures.lookup(op.getTensor());
  Type element = op.getType();
  if (!buffer || !element.isIntOrIndex())
    return;
  CaptureRange range{buffer, {}, std::nullopt, {}, {}};
  Value known;
  for (auto [d, index] : llvm::enumerate(op.getIndices())) {
    const Interval *at = interval(index);
    if (!at || at->spread > kMaxSpread)
      return;
    known = both(known, at->known);
    range.indices.push_back(at->low);
    if (at->isPoint())
      continue;
    if (range.dimension || search.onlyElements)
      return;
    range.dimension = d;
    range.low = at->low;
    range.high = at->high;
  }
  std::optional<CaptureExtremes> extremes = search.extremes(range);
  if (!extremes)
    return;
  const CaptureExtremes &found = *extremes;
  known = both(known, found.nonempty);
  if (element.isInteger(1)) {
    Value all = compare(arith::CmpIPredicate::ne, found.least, index(0));
    Value none = compare(arith::CmpIPredicate::eq, found.most, index(0));
    truths.try_emplace(op, Verdict{both(known, all), both(known, none)});
    return;
  }
  unsigned bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  if (bits > kSizeBits) {
    // Values so large that arithmetic on them might wrap say nothing.
    Value limit = index(int64_t(1) << kSizeBits);
    Value above = compare(arith::CmpIPredicate::sgt, found.least,
                          difference(index(0), limit));
    Value below = compare(arith::CmpIPredicate::slt, found.most, limit);
    known = both(known, both(above, below));
    bits = kSizeBits + 1;
  }
  define(op, {found.least, found.most, known, bits - 1, kMaxSpread + 1});
}

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

void IntervalAnalysis::visitCompare(arith::CmpIOp op) {
  using Predicate = arith::CmpIPredicate;
  const Interval *x = interval(op.getLhs()), *y = interval(op.getRhs());
  Predicate predicate = op.getPredicate();
  if (!x || !y)
    return;
  if (predicate == Predicate::sgt || predicate == Predicate::sge) {
    std::swap(x, y);
    predicate = predicate == Predicate::sgt ? Predicate::slt : Predicate::sle;
  }
  Verdict result;
  switch (predicate) {
  case Predicate::slt:
    result.all = compare(Predicate::slt, x->high, y->low);
    result.none = compare(Predicate::sge, x->low, y->high);
    break;
  case Predicate::sle:
    result.all = compare(Predicate::sle, x->high, y->low);
    result.none = compare(Predicate::sgt, x->low, y->high);
    break;
  case Predicate::eq:
  case Predicate::ne:
    // Equal everywhere: both are one number, and the same.
    result.all = both(compare(Predicate::eq, x->low, y->high),
                      compare(Predicate::eq, x->high, y->low));
    result.none = either(compare(Predicate::slt, x->high, y->low),
                         compare(Predicate::slt, y->high, x->low));
    if (predicate == Predicate::ne)
      std::swap(result.all, result.none);
    break;
  default:
    return;
  }
  Value known = both(x->known, y->known);
  truths.try_emplace(
      op, Verdict{both(known, result.all), both(known, result.none)});
}

void IntervalAnalysis::visitLogic(Operation &op) {
  if (!op.getResult(0).getType().isInteger(1))
    return;
  Verdict x = truth(op.getOperand(0)), y = truth(op.getOperand(1));
  Verdict result = unknown();
  if (isa<arith::AndIOp>(op))
    result = {both(x.all, y.all), either(x.none, y.none)};
  else if (isa<arith::OrIOp>(op))
    result = {either(x.all, y.all), both(x.none, y.none)};
  else
    result = {either(both(x.all, y.none), both(x.none, y.all)),
              either(both(x.all, y.all), both(x.none, y.none))};
  truths.try_emplace(op.getResult(0), result);
}

/// One of two values, or anything between them.
void IntervalAnalysis::visitSelect(arith::SelectOp op) {
  Verdict condition = truth(op.getCondition());
  if (op.getType().isInteger(1)) {
    Verdict x = truth(op.getTrueValue()), y = truth(op.getFalseValue());
    auto chosen = [&](Value ofX, Value ofY) {
      Value decided =
          either(both(condition.all, ofX), both(condition.none, ofY));
      return either(decided, both(ofX, ofY));
    };
    truths.try_emplace(op,
                       Verdict{chosen(x.all, y.all), chosen(x.none, y.none)});
    return;
  }
  const Interval *x = interval(op.getTrueValue());
  const Interval *y = interval(op.getFalseValue());
  if (!x || !y)
    return;
  auto pick = [&](Value ofX, Value ofY, Value mixed) {
    Value rest = b.createOrFold<arith::SelectOp>(condition.none, ofY, mixed);
    return b.createOrFold<arith::SelectOp>(condition.all, ofX, rest);
  };
  define(op, {pick(x->low, y->low, least(x->low, y->low)),
              pick(x->high, y->high, most(x->high, y->high)),
              both(x->known, y->known), std::max(x->bits, y->bits),
              kMaxSpread + 1});
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

/// Vectors of query and key come first: a keep does not use them.
void IntervalAnalysis::bindArguments(Block &body) {
  size_t vectors = body.getNumArguments() - 6 - tile.captures.size();
  auto arguments = body.getArguments().drop_front(vectors);
  const Interval scalars[] = {point(tile.batch),
                              point(tile.head),
                              {tile.firstRow, tile.lastRow, {}, kSizeBits, 1},
                              {tile.firstKey, tile.lastKey, {}, kSizeBits, 1},
                              point(tile.m),
                              point(tile.n)};
  for (auto [argument, scalar] : llvm::zip(arguments, scalars))
    intervals.try_emplace(argument, scalar);
  for (auto [argument, buffer] :
       llvm::zip_equal(arguments.drop_front(6), tile.captures))
    captures.try_emplace(argument, buffer);
}

void IntervalAnalysis::visit(Operation &op) {
  if (op.getNumResults() != 1)
    return;
  Value result = op.getResult(0);
  if (op.hasTrait<OpTrait::ConstantLike>()) {
    std::optional<int64_t> value = constantOf(result);
    if (value && result.getType().isInteger(1))
      truths.try_emplace(result,
                         Verdict{constant(*value != 0), constant(*value == 0)});
    else if (value)
      define(result, point(index(*value), bitsOf(*value)));
    return;
  }
  llvm::TypeSwitch<Operation *>(&op)
      .Case([&](arith::CmpIOp compare) { visitCompare(compare); })
      .Case([&](arith::SelectOp select) { visitSelect(select); })
      .Case([&](tensor::ExtractOp extract) { visitExtract(extract); })
      .Case([&](tensor::DimOp dim) {
        Value buffer = captures.lookup(dim.getSource());
        std::optional<int64_t> dimension = dim.getConstantIndex();
        if (buffer && dimension)
          define(dim, point(sizeOf(buffer, *dimension)));
      })
      .Case<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(
          [&](Operation *logic) { visitLogic(*logic); })
      .Case<arith::IndexCastOp, arith::ExtSIOp, arith::ExtUIOp>(
          [&](Operation *cast) { visitCast(*cast); })
      .Case<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::MinSIOp,
            arith::MaxSIOp, arith::FloorDivSIOp>(
          [&](Operation *arithmetic) { visitArithmetic(*arithmetic); });
}

Verdict IntervalAnalysis::run(Region &keep) {
  Block &body = keep.front();
  bindArguments(body);
  for (Operation &op : body.without_terminator())
    visit(op);
  return truth(body.getTerminator()->getOperand(0));
}

/// After run(). What is computed from something unknown is no cause itself.
SmallVector<Operation *> IntervalAnalysis::obstacles(Region &keep) const {
  SmallVector<Operation *> found;
  DenseSet<Value> seen;
  SmallVector<Value> work(keep.front().getTerminator()->getOperands());
  auto isUnknown = [&](Value value) {
    Operation *op = value.getDefiningOp();
    return op && !op->hasTrait<OpTrait::ConstantLike>() &&
           !intervals.contains(value) && !truths.contains(value);
  };
  while (!work.empty()) {
    Value value = work.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op || !seen.insert(value).second)
      continue;
    llvm::append_range(work, op->getOperands());
    if (isUnknown(value) && llvm::none_of(op->getOperands(), isUnknown))
      found.push_back(op);
  }
  return found;
}

} // namespace

Verdict attn::keepVerdict(ImplicitLocOpBuilder &b, Region &keep,
                          const KeepTile &tile, const CaptureSearch &search) {
  return IntervalAnalysis(b, tile, search).run(keep);
}

SmallVector<Operation *> attn::keepObstacles(ImplicitLocOpBuilder &b,
                                             Region &keep, const KeepTile &tile,
                                             const CaptureSearch &search) {
  IntervalAnalysis analysis(b, tile, search);
  analysis.run(keep);
  return analysis.obstacles(keep);
}
