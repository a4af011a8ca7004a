// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A head here is all that share a key head of a batch, where heads go together.

#include "codegen/cpu/cache/FewRows.h"

#include "codegen/cpu/cache/SplitKeys.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Fewer heights of tiles are less code beside that of many rows.
static constexpr int kTallest = 4;

static Value rowsOfHead(TileBuilder &b, const AttentionForm &form) {
  return b.mul(b.dim(form.queries.front(), 2), headsTogether(form));
}

static Value headsOfBatch(TileBuilder &b, const AttentionForm &form) {
  return b.div(b.dim(form.queries.front(), 1), headsTogether(form));
}

static Value headsOfCall(TileBuilder &b, const AttentionForm &form) {
  return b.mul(b.dim(form.queries.front(), 0), headsOfBatch(b, form));
}

Rows attn::cpu::expectedRows(const AttentionForm &form) {
  if (form.needsWeights())
    return Rows::Many;
  auto query = cast<MemRefType>(form.queries.front().getType());
  if (query.isDynamicDim(2))
    return Rows::Any;
  int64_t rows = query.getDimSize(2) * headsTogether(form);
  return rows <= kFewRows ? Rows::Few : Rows::Many;
}

Value attn::cpu::hasFewRows(TileBuilder &b, const AttentionForm &form) {
  return b.less(rowsOfHead(b, form), b.idx(kFewRows + 1));
}

Value attn::cpu::fewRowsScratch(TileBuilder &b, const AttentionForm &form) {
  Value parts = SplitKeys::scratchBytes(b, form, headsOfCall(b, form));
  return b.add(streamScratch(b, form), parts);
}

namespace {

/// The stream of a kernel and how its keys are split.
struct FewRows {
  FewRows(TileBuilder &b, const AttentionForm &form)
      : stream(b, form, std::min(kTallest, b.target.attention.rows)),
        s(stream.state()), heads(headsOfCall(b, form)),
        keys(stream, {heads, rowsOfHead(b, form), s.n}),
        parts(keys.partsOf(s.n)), count(b.mul(heads, parts)) {}

  HeadRows rowsOf(Value head) const {
    TileBuilder &b = stream.b;
    const AttentionForm &form = stream.attention();
    Value divisor =
        b.max(headsOfBatch(b, form), b.idx(1)); // no heads: no tasks
    return stream.rowsOf(b.div(head, divisor), b.rem(head, divisor), b.idx(0),
                         rowsOfHead(b, form), {});
  }

  Stream stream;
  AttentionState s;
  Value heads;
  SplitKeys keys;
  Value parts, count; ///< of each head, of all
};

} // namespace

LogicalResult attn::cpu::emitFewRows(TileBuilder &b,
                                     const AttentionForm &form) {
  FewRows few(b, form);
  auto [first, last] = b.share(few.count);
  b.forRange(first, last, b.idx(1), [&, first = first](Value task) {
    few.keys.emitPart(few.s, few.rowsOf(b.div(task, few.parts)),
                      b.rem(task, few.parts), b.sub(task, first));
  });
  return failure(few.s.failed);
}

LogicalResult attn::cpu::finishFewRows(TileBuilder &b,
                                       const AttentionForm &form) {
  FewRows few(b, form);
  b.ifThen(few.keys.isSplit, [&] {
    b.forRange(few.heads, [&](Value head) {
      few.keys.addParts(few.s, few.rowsOf(head), b.mul(head, few.parts),
                        few.count);
    });
  });
  return failure(few.s.failed);
}
