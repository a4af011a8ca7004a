// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inlines the score and keep regions of an attention, 16 keys at a time.

#include "codegen/cpu/attention/ScoreRegions.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static Value negativeInfinity(TileBuilder &b) {
  return b.splat(-std::numeric_limits<double>::infinity());
}

/// The arguments of a region: two vectors that have no value, indices, sizes,
/// captures.
static SmallVector<Value> regionArguments(AttentionState &s,
                                          const HeadRows &rows,
                                          const Chunk &chunk,
                                          const ScoreLanes &at) {
  TileBuilder &b = s.b;
  SmallVector<Value> arguments = {{},
                                  {},
                                  rows.batch,
                                  rows.head,
                                  b.add(rows.first, at.row),
                                  b.laneIndices(b.add(chunk.first, at.column)),
                                  s.m,
                                  s.n};
  llvm::append_range(arguments, s.form.captures);
  return arguments;
}

/// What `region` yields in every lane; null after an error.
static Value inlined(AttentionState &s, Region &region,
                     ArrayRef<Value> arguments, Value mask, Value dot) {
  FailureOr<SmallVector<Value>> yielded = inlineLanes(
      s.b, region, arguments, mask, [&](Operation &op, IRMapping &) -> Value {
        return isa<DotOp>(op) ? dot : Value();
      });
  s.failed |= failed(yielded);
  return failed(yielded) ? Value() : s.b.splat(yielded->front());
}

/// A natural score to base 2. A finite fill stays finite, so that rows of
/// nothing else stay uniform.
static Value toBase2(TileBuilder &b, Value natural) {
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

Value attn::cpu::scoreOnLanes(AttentionState &s, const HeadRows &rows,
                              const Chunk &chunk, const ScoreLanes &at,
                              Value dot) {
  TileBuilder &b = s.b;
  SmallVector<Value> arguments = regionArguments(s, rows, chunk, at);
  Value score = dot;
  if (!s.form.scale) {
    Value natural = inlined(s, *s.form.score, arguments, at.mask, dot);
    if (!natural)
      return dot;
    score = toBase2(b, natural);
  }
  Value none = negativeInfinity(b);
  if (s.form.keep)
    if (Value kept = inlined(s, *s.form.keep, arguments, at.mask, {}))
      score = arith::SelectOp::create(b, kept, score, none);
  return at.mask ? arith::SelectOp::create(b, at.mask, score, none) : score;
}
