// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is all rows of a key head of a batch.

#include "codegen/cpu/cache/FewRows.h"

#include "codegen/cpu/cache/StreamedRows.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// More rows pay for packing a head's keys; fewer heights of tiles are less
/// code beside that of many rows.
static constexpr int64_t kFewRows = 8;
static constexpr int kTallest = 4;

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
  Value rows = b.mul(b.dim(form.queries.front(), 2), headsTogether(form));
  return b.less(rows, b.idx(kFewRows + 1));
}

LogicalResult attn::cpu::emitFewRows(TileBuilder &b,
                                     const AttentionForm &form) {
  Stream stream(b, form, std::min(kTallest, b.target.attention.rows));
  AttentionState s = stream.state();
  Value query = form.queries.front();
  Value heads = b.div(b.dim(query, 1), stream.together);
  Value divisor = b.max(heads, b.idx(1)); // no heads: no tasks
  auto [first, last] = b.share(b.mul(b.dim(query, 0), heads));
  b.forRange(first, last, b.idx(1), [&](Value task) {
    stream.emitRows(s, b.div(task, divisor), b.rem(task, divisor), b.idx(0),
                    b.mul(s.m, stream.together), {});
  });
  return failure(s.failed);
}
