// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normalises the outputs of a block of rows and writes them.

#include "codegen/cpu/attention/Results.h"

#include "codegen/cpu/attention/Softmax.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// The natural logarithm of the sum, whose reference is in base 2; -infinity
/// where nothing is kept.
static void writeLogSumExp(AttentionState &s, const HeadRows &rows, Value row,
                           Value sum) {
  TileBuilder &b = s.b;
  Value reference = b.loadScalar(s.scratch.references, row);
  Value natural = arith::MulFOp::create(b, reference, b.f32(1 / kLog2E));
  Value log = math::LogOp::create(b, sum);
  memref::StoreOp::create(
      b, arith::AddFOp::create(b, natural, log), s.form.logsumexp,
      rows.only(b, row).queryPlace(b, rows.only(b, row).first));
}

void attn::cpu::finishSums(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    Value sum =
        b.reduce(b.load(s.scratch.sums, {row, b.idx(0)}), Reduction::Sum);
    Value empty =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, b.f32(0.0));
    Value inverse = arith::DivFOp::create(b, b.f32(1.0), sum);
    memref::StoreOp::create(
        b, arith::SelectOp::create(b, empty, b.f32(0.0), inverse),
        s.scratch.factors, row);
    if (s.form.logsumexp)
      writeLogSumExp(s, rows, row, sum);
  });
}

void attn::cpu::writeRows(AttentionState &s, const HeadRows &rows,
                          bool isRelative) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    Value factor;
    if (isRelative)
      factor = b.splat(b.loadScalar(s.scratch.factors, row));
    HeadRows own = rows.only(b, row);
    SmallVector<Value> to = own.queryPlace(b, own.first);
    b.forLanes(b.idx(s.form.valueWidth), [&](Value column, Value mask) {
      Value x = b.load(s.scratch.outputs, {row, column});
      if (factor)
        x = arith::MulFOp::create(b, x, factor);
      b.store(x, s.form.output, {to[0], to[1], to[2], column}, mask);
    });
  });
}

void attn::cpu::writeEmptyRows(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  if (s.form.logsumexp) {
    startRows(s, rows); // a sink is a score of every row
    finishSums(s, rows);
  }
  b.forRange(rows.count, [&](Value row) {
    HeadRows own = rows.only(b, row);
    SmallVector<Value> to = own.queryPlace(b, own.first);
    b.forLanes(b.idx(s.form.valueWidth), [&](Value column, Value mask) {
      b.store(b.splat(0.0), s.form.output, {to[0], to[1], to[2], column}, mask);
    });
  });
}
