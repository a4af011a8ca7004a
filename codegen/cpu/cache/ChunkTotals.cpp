// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// References are integers to base 2: bringing two parts to the larger one
// multiplies by exact powers of two, and a part that kept no key adds nothing.

#include "codegen/cpu/cache/ChunkTotals.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static constexpr int64_t kFloat = sizeof(float);

/// References take a whole vector, so that all else stays aligned to one.
static int64_t referenceFloats(const ScratchLayout &layout) {
  return (layout.rows + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
}

int64_t attn::cpu::totalsBytes(const ScratchLayout &layout) {
  int64_t perRow = kPanelWidth + layout.valueWidth;
  return (referenceFloats(layout) + layout.rows * perRow) * kFloat;
}

RowTotals attn::cpu::totalsAt(TileBuilder &b, const ScratchLayout &layout,
                              Value offset) {
  auto take = [&](ArrayRef<int64_t> shape, int64_t floats) {
    Value buffer = b.scratch(offset, MemRefType::get(shape, b.getF32Type()));
    offset = b.add(offset, floats * kFloat);
    return buffer;
  };
  int64_t rows = layout.rows, width = layout.valueWidth;
  RowTotals totals;
  totals.references = take({rows}, referenceFloats(layout));
  totals.sums = take({rows, kPanelWidth}, rows * kPanelWidth);
  totals.outputs = take({rows, width}, rows * width);
  return totals;
}

AttentionState attn::cpu::withTotals(const AttentionState &s,
                                     const RowTotals &totals) {
  AttentionState total(s);
  total.scratch.references = totals.references;
  total.scratch.sums = totals.sums;
  total.scratch.outputs = totals.outputs;
  return total;
}

namespace {
/// What the two parts of a row are multiplied with.
struct Factors {
  Value chunk, total;
};
} // namespace

/// Moves the total's reference to the larger one.
static Factors joinReferences(AttentionState &s, AttentionState &total,
                              Value row) {
  TileBuilder &b = s.b;
  Value none = b.f32(-std::numeric_limits<double>::infinity());
  Value own = b.loadScalar(s.scratch.references, row);
  Value before = b.loadScalar(total.scratch.references, row);
  Value grows =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ULT, before, own);
  Value most = arith::SelectOp::create(b, grows, own, before);
  memref::StoreOp::create(b, most, total.scratch.references, row);
  auto factor = [&](Value reference) {
    Value isNone =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, reference, none);
    Value power =
        math::Exp2Op::create(b, arith::SubFOp::create(b, reference, most));
    return b.splat(arith::SelectOp::create(b, isNone, b.f32(0.0), power));
  };
  return {factor(own), factor(before)};
}

void attn::cpu::addChunk(AttentionState &s, AttentionState &total,
                         const HeadRows &rows) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    Factors factors{b.splat(1.0), b.splat(1.0)};
    if (s.form.isSoftmax())
      factors = joinReferences(s, total, row);
    auto add = [&](Value from, Value to, Value column) {
      Value x = b.load(from, {row, column}), y = b.load(to, {row, column});
      y = arith::MulFOp::create(b, y, factors.total);
      b.store(b.fma(x, factors.chunk, y), to, {row, column});
    };
    add(s.scratch.sums, total.scratch.sums, b.idx(0));
    b.forRange(b.idx(0), b.idx(s.layout.valueWidth), b.idx(kPanelWidth),
               [&](Value column) {
                 add(s.scratch.outputs, total.scratch.outputs, column);
               });
  });
}
