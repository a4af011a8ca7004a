// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normalises the outputs of a block of rows and writes them.

#include "codegen/cpu/attention/Results.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// 1 / the row's sum of weights, or 0 where it kept nothing.
static Value inverseSum(AttentionState &s, Value row) {
  TileBuilder &b = s.b;
  Value sum = b.reduce(b.load(s.scratch.sums, {row, b.idx(0)}), Reduction::Sum);
  Value empty =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, b.f32(0.0));
  Value inverse = arith::DivFOp::create(b, b.f32(1.0), sum);
  return arith::SelectOp::create(b, empty, b.f32(0.0), inverse);
}

void attn::cpu::finishRows(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    Value factor = b.splat(inverseSum(s, row));
    Value to = b.add(rows.first, row);
    b.forLanes(b.idx(s.form.valueWidth), [&](Value column, Value mask) {
      Value x = b.load(s.scratch.outputs, {row, column});
      b.store(arith::MulFOp::create(b, x, factor), s.form.output,
              {rows.batch, rows.head, to, column}, mask);
    });
  });
}
