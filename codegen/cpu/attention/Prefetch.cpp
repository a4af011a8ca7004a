// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows of a head are short and far apart in memory: hardware that follows
// streams fetches none of them in time.

#include "codegen/cpu/attention/Prefetch.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// The lines of one row of a head; beyond the tensor nothing happens.
static void prefetchRow(AttentionState &s, Value buffer, Value batch,
                        Value head, Value row) {
  TileBuilder &b = s.b;
  int64_t width = cast<MemRefType>(buffer.getType()).getDimSize(3);
  for (int64_t column = 0; column < width; column += kPanelWidth)
    memref::PrefetchOp::create(
        b, buffer, ValueRange{batch, head, row, b.idx(column)},
        /*isWrite=*/false, /*localityHint=*/2, /*isDataCache=*/true);
}

void attn::cpu::prefetchNext(AttentionState &s, const HeadRows &rows,
                             Value row) {
  TileBuilder &b = s.b;
  if (!b.target.prefetchNextPanel || s.form.starts)
    return;
  Value here = b.add(rows.first, row), nextHead = b.add(rows.keyHead, 1);
  for (Value query : s.form.queries)
    prefetchRow(s, query, rows.batch, rows.head, b.add(here, rows.count));
  for (Value key : s.form.keys)
    prefetchRow(s, key, rows.batch, nextHead, here);
  prefetchRow(s, s.form.value, rows.batch, nextHead, here);
}
