// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Final weights of a chunk, in scratch and in the attention map.

#include "codegen/cpu/attention/Weights.h"

#include "codegen/cpu/attention/ScoreRegions.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::plainWeights(AttentionState &s, const HeadRows &rows,
                             const Chunk &chunk) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    forRunLanes(s, chunk, {}, [&](const RunLanes &lanes, ValueRange) {
      PairLanes at{row, lanes.column, lanes.mask, lanes.isKept};
      b.store(scoreOnLanes(s, rows, chunk, at), s.scratch.scores,
              {row, lanes.column});
      return SmallVector<Value>();
    });
  });
}

/// What a head's weight counts in the mean, on lanes.
static Value shareOfHead(TileBuilder &b, Value query) {
  auto type = cast<MemRefType>(query.getType());
  if (!type.isDynamicDim(1))
    return b.splat(1.0 / type.getDimSize(1));
  Value heads = arith::IndexCastOp::create(b, b.getI64Type(), b.dim(query, 1));
  heads = arith::SIToFPOp::create(b, b.getF32Type(), heads);
  return arith::DivFOp::create(b, b.splat(1.0), b.splat(heads));
}

/// Writes 16 weights to the map. The mean adds up heads in ascending order.
static void writeMap(AttentionState &s, const HeadRows &rows,
                     const Chunk &chunk, const PairLanes &at, Value weight) {
  TileBuilder &b = s.b;
  Value row = b.add(rows.first, at.row), key = b.add(chunk.first, at.column);
  if (!s.form.returnsMean())
    return b.store(weight, s.form.weights, {rows.batch, rows.head, row, key},
                   at.mask);
  SmallVector<Value> place{rows.batch, row, key};
  Value isFirst = b.splat(b.equal(rows.head, b.idx(0)));
  Value before = b.load(s.form.weights, place, at.mask);
  before = arith::SelectOp::create(b, isFirst, b.splat(0.0), before);
  Value share = shareOfHead(b, s.form.queries.front());
  b.store(b.fma(weight, share, before), s.form.weights, place, at.mask);
}

void attn::cpu::clearMap(AttentionState &s, const HeadRows &rows,
                         const Keys &keys) {
  if (!s.form.weights)
    return;
  TileBuilder &b = s.b;
  auto clear = [&] {
    b.forRange(rows.count, [&](Value row) {
      b.forLanes(keys.count, [&](Value column, Value mask) {
        SmallVector<Value> place{rows.batch, rows.head, b.add(rows.first, row),
                                 b.add(keys.first, column)};
        if (s.form.returnsMean())
          place.erase(place.begin() + 1);
        b.store(b.splat(0.0), s.form.weights, place, mask);
      });
    });
  };
  // Of a mean the first head is written, others are added.
  if (s.form.returnsMean())
    b.ifThen(b.equal(rows.head, b.idx(0)), clear);
  else
    clear();
}

void attn::cpu::finishWeights(AttentionState &s, const HeadRows &rows,
                              const Chunk &chunk) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    Value factor;
    if (s.form.isSoftmax())
      factor = b.splat(b.loadScalar(s.scratch.factors, row));
    forRunLanes(s, chunk, {}, [&](const RunLanes &lanes, ValueRange) {
      PairLanes at{row, lanes.column, lanes.mask, lanes.isKept};
      Value weight = b.load(s.scratch.scores, {row, at.column});
      if (factor)
        weight = arith::MulFOp::create(b, weight, factor);
      if (s.form.weight)
        weight = weightOnLanes(s, rows, chunk, at, weight);
      b.store(weight, s.scratch.scores, {row, at.column});
      if (s.form.weights)
        writeMap(s, rows, chunk, at, weight);
      return SmallVector<Value>();
    });
  });
  forGaps(s, chunk, [&](const Keys &keys) { clearMap(s, rows, keys); });
}
