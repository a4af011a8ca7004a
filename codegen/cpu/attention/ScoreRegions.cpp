// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inlines the regions of an attention, 16 keys at a time.

#include "codegen/cpu/attention/ScoreRegions.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static Value negativeInfinity(TileBuilder &b) {
  return b.splat(-std::numeric_limits<double>::infinity());
}

Value attn::cpu::toBase2(TileBuilder &b, Value natural) {
  Value lowest = b.splat(-std::numeric_limits<float>::max());
  Value none = negativeInfinity(b);
  Value scaled = arith::MulFOp::create(b, natural, b.splat(kLog2E));
  Value lower =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, lowest, scaled);
  scaled = arith::SelectOp::create(b, lower, lowest, scaled);
  Value isNone =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, natural, none);
  return arith::SelectOp::create(b, isNone, none, scaled);
}

/// What `region` yields; null where there is no region.
static Value yieldOf(Region *region) {
  return region ? region->front().getTerminator()->getOperand(0) : Value();
}

/// What decides whether a key is kept; null where every one is.
static Value keepOf(const AttentionState &s, const PairLanes &at) {
  return at.isKept ? Value() : yieldOf(s.form.keep);
}

/// `value` in the lanes that are kept and exist, else `otherwise`.
static Value masked(AttentionState &s, RegionValues &values,
                    const PairLanes &at, Value value, Value otherwise) {
  TileBuilder &b = s.b;
  if (Value kept = keepOf(s, at))
    value = arith::SelectOp::create(b, b.splat(values.scalar(kept)), value,
                                    otherwise);
  return at.mask ? arith::SelectOp::create(b, at.mask, value, otherwise)
                 : value;
}

static Value plainWeight(AttentionState &s, Value score) {
  TileBuilder &b = s.b;
  if (s.form.normalizer == Normalizer::Sum)
    return score;
  Value power = math::ExpOp::create(b, arith::NegFOp::create(b, score));
  Value one = b.splat(1.0);
  return arith::DivFOp::create(b, one, arith::AddFOp::create(b, one, power));
}

/// Evaluates what is yielded by those regions that there are.
static RegionValues evaluate(AttentionState &s, RegionPoint point,
                             ArrayRef<Value> yielded) {
  RegionValues values(s.b, s.form.program, std::move(point));
  SmallVector<Value> roots(
      llvm::make_filter_range(yielded, [](Value value) { return !!value; }));
  values.compute(roots);
  s.failed |= values.failed();
  return values;
}

bool attn::cpu::scoreIsInPlace(const AttentionState &s, const PairLanes &at) {
  return s.form.isWholeScore && s.form.isSoftmax() && !keepOf(s, at) &&
         !at.mask;
}

Value attn::cpu::scoreOnLanes(AttentionState &s, const HeadRows &rows,
                              const Chunk &chunk, const PairLanes &at) {
  TileBuilder &b = s.b;
  bool whole = s.form.isWholeScore;
  Value yielded = whole ? Value() : yieldOf(s.form.score);
  RegionValues values =
      evaluate(s, pairPoint(s, rows, chunk, at), {yielded, keepOf(s, at)});
  Value score = whole ? b.load(s.scratch.terms.front(), {at.row, at.column})
                      : b.splat(values.scalar(yielded));
  if (!s.form.isSoftmax())
    return masked(s, values, at, plainWeight(s, score), b.splat(0.0));
  return masked(s, values, at, whole ? score : toBase2(b, score),
                negativeInfinity(b));
}

Value attn::cpu::weightOnLanes(AttentionState &s, const HeadRows &rows,
                               const Chunk &chunk, const PairLanes &at,
                               Value normalized) {
  TileBuilder &b = s.b;
  RegionPoint point = pairPoint(s, rows, chunk, at);
  point.normalized = normalized;
  Value yielded = yieldOf(s.form.weight);
  RegionValues values = evaluate(s, std::move(point), {yielded, keepOf(s, at)});
  return masked(s, values, at, b.splat(values.scalar(yielded)), b.splat(0.0));
}
