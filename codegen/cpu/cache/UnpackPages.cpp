// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Panels of a page to rows.

#include "codegen/cpu/cache/UnpackPages.h"

#include "dialect/AttnDialect.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::unpackPages(TileBuilder &b, const PagedEntry &entry,
                            Value sequence, Value head, Value count, Value keys,
                            Value values) {
  Value zero = b.idx(0);
  b.forRange(count, [&](Value token) {
    Value page = entry.page(b, sequence, b.div(token, kPageTokens));
    Value slot = b.rem(token, kPageTokens);
    Value panel = b.div(slot, kPanelWidth), lane = b.rem(slot, kPanelWidth);
    b.forRange(b.idx(entry.keyWidth), [&](Value d) {
      Value from = b.add(entry.key(b, page, head, panel, d), lane);
      memref::StoreOp::create(b, b.loadScalar(entry.cache, from), keys,
                              ValueRange{zero, zero, token, d});
    });
    b.forLanes(b.idx(entry.valueWidth), [&](Value column, Value mask) {
      Value from = entry.value(b, page, head, b.div(column, kPanelWidth), slot);
      b.store(b.load(entry.cache, from), values, {zero, zero, token, column},
              mask);
    });
  });
}
