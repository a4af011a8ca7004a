// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Online softmax between chunks (Milakov and Gimelshein 2018) in base 2. The
// reference of a row is its maximum rounded up to an integer, so that factors
// between chunks are exact powers of two.

#include "codegen/cpu/attention/Softmax.h"

#include "codegen/cpu/attention/Prefetch.h"
#include "codegen/cpu/attention/ScoreRegions.h"
#include "codegen/cpu/attention/sparsity/KeyRuns.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The sink is a score like any other, of no key.
static void startWithSink(AttentionState &s, const HeadRows &rows, Value row) {
  TileBuilder &b = s.b;
  Value head = rows.only(b, row).head;
  Value sink = toBase2(b, b.splat(b.loadScalar(s.form.sink, head)));
  Value reference = math::CeilOp::create(b, sink);
  Value weight =
      math::Exp2Op::create(b, arith::SubFOp::create(b, sink, reference));
  Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sink,
                                       b.splat(-kInfinity));
  Value zero = b.splat(0.0);
  weight = arith::SelectOp::create(b, isNone, zero, weight);
  Value first = b.laneMask(b.idx(1));
  b.store(arith::SelectOp::create(b, first, weight, zero), s.scratch.sums,
          {row, b.idx(0)});
  memref::StoreOp::create(
      b, vector::ExtractOp::create(b, reference, ArrayRef<int64_t>{0}),
      s.scratch.references, row);
}

void attn::cpu::clearRows(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    b.forRange(b.idx(0), b.idx(s.layout.valueWidth), b.idx(kPanelWidth),
               [&](Value column) {
                 b.store(b.splat(0.0), s.scratch.outputs, {row, column});
               });
    b.store(b.splat(0.0), s.scratch.sums, {row, b.idx(0)});
    memref::StoreOp::create(b, b.f32(-kInfinity), s.scratch.references, row);
  });
}

void attn::cpu::startRows(AttentionState &s, const HeadRows &rows) {
  clearRows(s, rows);
  if (s.form.sink)
    s.b.forRange(rows.count, [&](Value row) { startWithSink(s, rows, row); });
}

/// max(a, b), either of them where one is NaN: a NaN score shows in the sum.
static Value larger(TileBuilder &b, Value x, Value y) {
  Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(b, above, x, y);
}

/// 16 keys' scores, from the terms to where scores go.
static Value placeScore(AttentionState &s, const HeadRows &rows,
                        const Chunk &chunk, const PairLanes &at) {
  Value score = scoreOnLanes(s, rows, chunk, at);
  if (!scoreIsInPlace(s, at))
    s.b.store(score, s.scratch.scores, {at.row, at.column});
  return score;
}

/// Turns terms into scores and returns their maximum.
static Value maximum(AttentionState &s, const HeadRows &rows,
                     const Chunk &chunk, Value row) {
  TileBuilder &b = s.b;
  SmallVector<Value> most = forRunLanes(
      s, chunk, {b.splat(-kInfinity)},
      [&](const RunLanes &lanes, ValueRange so_far) -> SmallVector<Value> {
        PairLanes at{row, lanes.column, lanes.mask, lanes.isKept};
        return {larger(b, so_far.front(), placeScore(s, rows, chunk, at))};
      });
  Value vector = most.front();
  for (int64_t half = kPanelWidth / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> low = llvm::to_vector(llvm::seq<int64_t>(0, half));
    SmallVector<int64_t> high =
        llvm::to_vector(llvm::seq<int64_t>(half, 2 * half));
    vector = larger(b, vector::ShuffleOp::create(b, vector, vector, low),
                    vector::ShuffleOp::create(b, vector, vector, high));
  }
  return vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{0});
}

/// 2^x for x <= 0, exactly 0 from -127 down; relative error 2.1e-7 (minimax,
/// fitted by Remez). NaN stays NaN.
static Value exp2OfNegative(TileBuilder &b, Value x) {
  static constexpr double kCoefficients[] = {1.000000072,    0.6931469671,
                                             0.2402211971,   0.05550713243,
                                             0.009675541724, 0.001327647987};
  x = larger(b, b.splat(-127.0), x);
  // Adding 1.5 * 2^23 rounds to an integer and leaves it, biased as an
  // exponent, in the low bits.
  Value magic = b.splat(12582912.0 + 127.0);
  Value shifted = arith::AddFOp::create(b, x, magic);
  Value whole = arith::SubFOp::create(b, shifted, magic);
  Value r = arith::SubFOp::create(b, x, whole);
  Value p = b.splat(kCoefficients[5]);
  for (int i = 4; i >= 0; --i)
    p = b.fma(p, r, b.splat(kCoefficients[i]));
  VectorType integers = b.lanes(b.getI32Type());
  Value bits = arith::BitcastOp::create(b, integers, shifted);
  Value shift = arith::ConstantOp::create(
      b, DenseElementsAttr::get(integers, b.getI32IntegerAttr(23)));
  bits = arith::ShLIOp::create(b, bits, shift);
  Value power = arith::BitcastOp::create(b, b.lanes(), bits);
  return arith::MulFOp::create(b, p, power);
}

/// Brings a row's sums to a larger reference: by an exact power of two.
static void rescale(AttentionState &s, Value row, Value reference) {
  TileBuilder &b = s.b;
  Value old = b.loadScalar(s.scratch.references, row);
  Value grows =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ULT, old, reference);
  memref::StoreOp::create(b, arith::SelectOp::create(b, grows, reference, old),
                          s.scratch.references, row);
  // Until a key was kept, sums and outputs are 0.
  Value started = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, old,
                                        b.f32(-kInfinity));
  b.ifThen(arith::AndIOp::create(b, grows, started), [&] {
    Value change = arith::SubFOp::create(b, old, reference);
    Value factor = b.splat(math::Exp2Op::create(b, change));
    auto scale = [&](Value buffer, Value column) {
      Value x = b.load(buffer, {row, column});
      b.store(arith::MulFOp::create(b, x, factor), buffer, {row, column});
    };
    scale(s.scratch.sums, b.idx(0));
    b.forRange(b.idx(0), b.idx(s.layout.valueWidth), b.idx(kPanelWidth),
               [&](Value column) { scale(s.scratch.outputs, column); });
  });
}

/// Scores to weights, added to the row's sum.
static void exponentials(AttentionState &s, const Chunk &chunk, Value row,
                         Value reference) {
  TileBuilder &b = s.b;
  Value origin = b.splat(reference);
  auto lanes = [&](Value column, ValueRange so_far) -> SmallVector<Value> {
    Value score = b.load(s.scratch.scores, {row, column});
    Value weight = exp2OfNegative(b, arith::SubFOp::create(b, score, origin));
    b.store(weight, s.scratch.scores, {row, column});
    return {arith::AddFOp::create(b, so_far.front(), weight)};
  };
  SmallVector<Value> sum =
      forRuns(s, chunk, {b.load(s.scratch.sums, {row, b.idx(0)})},
              [&](const KeyRun &run, ValueRange so_far) {
                Value width =
                    b.mul(b.ceilDiv(run.count, kPanelWidth), kPanelWidth);
                return b.forRange(run.column, b.add(run.column, width),
                                  b.idx(kPanelWidth), so_far, lanes);
              });
  b.store(sum.front(), s.scratch.sums, {row, b.idx(0)});
}

/// What a row's scores are relative to. Where nothing is kept any finite
/// reference gives weights of 0.
static Value finiteReference(AttentionState &s, Value row) {
  TileBuilder &b = s.b;
  Value reference = b.loadScalar(s.scratch.references, row);
  Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, reference,
                                       b.f32(-kInfinity));
  return arith::SelectOp::create(b, isNone, b.f32(0.0), reference);
}

void attn::cpu::softmaxChunk(AttentionState &s, const HeadRows &rows,
                             const Chunk &chunk) {
  s.b.forRange(rows.count, [&](Value row) {
    prefetchNext(s, rows, row);
    Value most = math::CeilOp::create(s.b, maximum(s, rows, chunk, row));
    rescale(s, row, most);
    exponentials(s, chunk, row, finiteReference(s, row));
  });
}

void attn::cpu::repeatSoftmax(AttentionState &s, const HeadRows &rows,
                              const Chunk &chunk) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    Value origin = b.splat(finiteReference(s, row));
    forRunLanes(s, chunk, {}, [&](const RunLanes &lanes, ValueRange) {
      PairLanes at{row, lanes.column, lanes.mask, lanes.isKept};
      Value score = scoreOnLanes(s, rows, chunk, at);
      Value weight = exp2OfNegative(b, arith::SubFOp::create(b, score, origin));
      b.store(weight, s.scratch.scores, {row, lanes.column});
      return SmallVector<Value>();
    });
  });
}
