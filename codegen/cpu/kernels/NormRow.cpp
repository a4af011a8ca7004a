// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A norm of one row in two or three passes over it while it is in L1.

#include "codegen/cpu/kernels/NormRow.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn::cpu;

/// mean(f(x)) over the row, f applied on lanes; lanes beyond the row count 0.
static Value meanOf(TileBuilder &b, const NormRow &norm, Value from, Value row,
                    llvm::function_ref<Value(Value)> f) {
  Value zero = b.splat(0.0);
  SmallVector<Value> sums = b.forLanes(
      b.idx(norm.width), {zero},
      [&](Value column, Value mask, ValueRange sum) -> SmallVector<Value> {
        Value value = f(b.load(from, {row, column}, mask));
        if (mask)
          value = arith::SelectOp::create(b, mask, value, zero);
        return {arith::AddFOp::create(b, sum.front(), value)};
      });
  Value sum = b.reduce(sums.front(), Reduction::Sum);
  return arith::DivFOp::create(b, sum, b.f32(static_cast<double>(norm.width)));
}

void attn::cpu::emitNormRow(TileBuilder &b, const NormRow &norm, Value from,
                            Value fromRow, Value to, Value toRow) {
  Value mean;
  if (norm.centered)
    mean = b.splat(meanOf(b, norm, from, fromRow, [](Value x) { return x; }));
  auto center = [&](Value x) -> Value {
    return mean ? arith::SubFOp::create(b, x, mean) : x;
  };
  Value variance = meanOf(b, norm, from, fromRow, [&](Value x) -> Value {
    Value d = center(x);
    return arith::MulFOp::create(b, d, d);
  });
  Value root = math::SqrtOp::create(
      b, arith::AddFOp::create(b, variance, b.f32(norm.eps)));
  Value factor = b.splat(arith::DivFOp::create(b, b.f32(1.0), root));
  b.forLanes(b.idx(norm.width), [&](Value column, Value mask) {
    Value x = center(b.load(from, {fromRow, column}, mask));
    Value y = arith::MulFOp::create(b, x, factor);
    Value scale = norm.scale ? b.load(norm.scale, {column}, mask) : Value();
    Value shift = norm.shift ? b.load(norm.shift, {column}, mask) : Value();
    if (scale && shift)
      y = b.fma(y, scale, shift);
    else if (scale)
      y = arith::MulFOp::create(b, y, scale);
    else if (shift)
      y = arith::AddFOp::create(b, y, shift);
    b.store(y, to, {toRow, column}, mask);
  });
}
