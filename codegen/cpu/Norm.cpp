// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.layer_norm and attn.rms_norm: rows normalised in two passes of reading.

#include "codegen/cpu/ElementLoops.h"
#include "codegen/cpu/KernelEmitter.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// What both norms do with each row of `width` elements.
struct RowNorm {
  TileBuilder &b;
  Value input, output; ///< flat
  Value scale, shift;  ///< flat, or null
  int64_t width;
  double eps;

  Value sumSquares(Value begin, Value mean);
  void emitRow(Value begin, bool centred);
};

} // namespace

/// sum (x - mean)^2 over a row, sum x^2 where `mean` is null. Lanes beyond the
/// row add 0.
Value RowNorm::sumSquares(Value begin, Value mean) {
  SmallVector<Value> sums = b.forLanes(
      b.idx(width), b.splat(0.0),
      [&](Value offset, Value mask, ValueRange carried) -> SmallVector<Value> {
        Value x = b.load(input, b.add(begin, offset), mask);
        if (mean)
          x = arith::SubFOp::create(b, x, mean);
        if (mean && mask)
          x = arith::SelectOp::create(b, mask, x, b.splat(0.0));
        return {b.fma(x, x, carried.front())};
      });
  return b.reduce(sums.front(), Reduction::Sum);
}

void RowNorm::emitRow(Value begin, bool centred) {
  // At most 2^24 elements a row keep the width exact.
  Value count = b.f32(static_cast<double>(width));
  Value mean;
  if (centred) {
    SmallVector<Value> sums =
        b.forLanes(b.idx(width), b.splat(0.0),
                   [&](Value offset, Value mask,
                       ValueRange carried) -> SmallVector<Value> {
                     Value x = b.load(input, b.add(begin, offset), mask);
                     return {arith::AddFOp::create(b, carried.front(), x)};
                   });
    Value sum = b.reduce(sums.front(), Reduction::Sum);
    mean = b.splat(Value(arith::DivFOp::create(b, sum, count)));
  }
  Value variance = arith::DivFOp::create(b, sumSquares(begin, mean), count);
  Value root =
      math::SqrtOp::create(b, arith::AddFOp::create(b, variance, b.f32(eps)));
  Value factor = b.splat(Value(arith::DivFOp::create(b, b.f32(1.0), root)));

  b.forLanes(b.idx(width), [&](Value offset, Value mask) {
    Value x = b.load(input, b.add(begin, offset), mask);
    if (mean)
      x = arith::SubFOp::create(b, x, mean);
    x = arith::MulFOp::create(b, x, factor);
    if (scale && shift)
      x = b.fma(x, b.load(scale, offset, mask), b.load(shift, offset, mask));
    else if (scale)
      x = arith::MulFOp::create(b, x, b.load(scale, offset, mask));
    else if (shift)
      x = arith::AddFOp::create(b, x, b.load(shift, offset, mask));
    b.store(x, output, b.add(begin, offset), mask);
  });
}

/// `axes` trailing dimensions of `type` make a row.
static LogicalResult emitRows(TileBuilder &b, Operation *op, Value input,
                              Value scale, Value shift, double eps,
                              int64_t axes, bool centred) {
  auto type = cast<RankedTensorType>(input.getType());
  auto flat = [&](Value tensor) {
    return tensor ? flatten(b, b.memory(tensor)) : Value();
  };
  int64_t width = 1;
  for (int64_t size : type.getShape().take_back(axes))
    width *= size;
  Value rows = b.idx(1);
  for (int64_t d = 0; d < type.getRank() - axes; ++d)
    rows = b.mul(rows, b.dim(b.memory(input), d));
  RowNorm norm{b,           flat(input), flat(op->getResult(0)),
               flat(scale), flat(shift), width,
               eps};
  auto [first, last] = b.share(rows);
  b.forRange(first, last, b.idx(1),
             [&](Value row) { norm.emitRow(b.mul(row, width), centred); });
  return success();
}

static LogicalResult emitLayerNorm(TileBuilder &b, Operation *operation) {
  auto op = cast<LayerNormOp>(operation);
  return emitRows(b, op, op.getInput(), op.getScale(), op.getShift(),
                  op.getEps().convertToDouble(), op.getAxes(),
                  /*centred=*/true);
}

static LogicalResult emitRmsNorm(TileBuilder &b, Operation *operation) {
  auto op = cast<RmsNormOp>(operation);
  return emitRows(b, op, op.getInput(), op.getScale(), {},
                  op.getEps().convertToDouble(), /*axes=*/1,
                  /*centred=*/false);
}

const KernelEmitter attn::cpu::layerNormEmitter = {.match =
                                                       matchOp<LayerNormOp>,
                                                   .scratchBytes = nullptr,
                                                   .emit = emitLayerNorm};

const KernelEmitter attn::cpu::rmsNormEmitter = {
    .match = matchOp<RmsNormOp>, .scratchBytes = nullptr, .emit = emitRmsNorm};
