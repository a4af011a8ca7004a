// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// References are integers to base 2: bringing two parts to the larger one
// multiplies by exact powers of two, and a part that kept no key adds nothing.

#include "codegen/cpu/cache/ChunkTotals.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

AttentionState attn::cpu::withTotals(const AttentionState &s) {
  AttentionState total(s);
  total.scratch.references = s.scratch.totalReferences;
  total.scratch.sums = s.scratch.totalSums;
  total.scratch.outputs = s.scratch.totalOutputs;
  return total;
}

namespace {
/// What the two parts of a row are multiplied with; a part that kept nothing is
/// left out.
struct Join {
  Value chunk, total;
  Value noChunk, noTotal;
};
} // namespace

/// Moves the total's reference to the larger one.
static Join joinReferences(AttentionState &s, AttentionState &total,
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
    Value change = arith::SubFOp::create(b, reference, most);
    return b.splat(math::Exp2Op::create(b, change));
  };
  auto isNone = [&](Value reference) {
    return b.splat(
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, reference, none));
  };
  return {factor(own), factor(before), isNone(own), isNone(before)};
}

void attn::cpu::addChunk(AttentionState &s, AttentionState &total,
                         const HeadRows &rows) {
  TileBuilder &b = s.b;
  b.forRange(rows.count, [&](Value row) {
    std::optional<Join> join;
    if (s.form.isSoftmax())
      join = joinReferences(s, total, row);
    auto sum = [&](Value x, Value y) -> Value {
      if (!join)
        return arith::AddFOp::create(b, x, y);
      Value scaled = arith::MulFOp::create(b, y, join->total);
      Value both = b.fma(x, join->chunk, scaled);
      both = arith::SelectOp::create(b, join->noTotal, x, both);
      return arith::SelectOp::create(b, join->noChunk, y, both);
    };
    auto add = [&](Value from, Value to, Value column) {
      b.store(sum(b.load(from, {row, column}), b.load(to, {row, column})), to,
              {row, column});
    };
    add(s.scratch.sums, total.scratch.sums, b.idx(0));
    b.forRange(b.idx(0), b.idx(s.layout.valueWidth), b.idx(kPanelWidth),
               [&](Value column) {
                 add(s.scratch.outputs, total.scratch.outputs, column);
               });
  });
}

void attn::cpu::copySums(AttentionState &from, AttentionState &to,
                         const HeadRows &rows) {
  TileBuilder &b = from.b;
  b.forRange(rows.count, [&](Value row) {
    Value reference = b.loadScalar(from.scratch.references, row);
    memref::StoreOp::create(b, reference, to.scratch.references, row);
    auto copy = [&](Value source, Value target, Value column) {
      b.store(b.load(source, {row, column}), target, {row, column});
    };
    copy(from.scratch.sums, to.scratch.sums, b.idx(0));
    b.forRange(b.idx(0), b.idx(from.layout.valueWidth), b.idx(kPanelWidth),
               [&](Value column) {
                 copy(from.scratch.outputs, to.scratch.outputs, column);
               });
  });
}
