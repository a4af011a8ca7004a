// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Panels of a page to rows.

#include "codegen/cpu/cache/UnpackPages.h"

#include "codegen/cpu/tiles/Transpose.h"
#include "dialect/AttnDialect.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::unpackKeys(TileBuilder &b, const PagedEntry &entry, Value page,
                           Value head, Value rows) {
  Value zero = b.idx(0);
  int64_t width = entry.keyWidth, whole = width / kPanelWidth * kPanelWidth;
  auto square = [&](Value panel, Value first, int64_t columns) {
    SmallVector<Value> elements;
    for (int64_t d = 0; d < kPanelWidth; ++d)
      elements.push_back(
          d < columns ? b.load(entry.cache,
                               entry.key(b, page, head, panel, b.add(first, d)))
                      : b.splat(0.0));
    transpose16(b, elements);
    Value mask = columns < kPanelWidth ? b.laneMask(b.idx(columns)) : Value();
    for (int64_t lane = 0; lane < kPanelWidth; ++lane) {
      Value key = b.add(b.mul(panel, kPanelWidth), lane);
      b.store(elements[lane], rows, {zero, zero, key, first}, mask);
    }
  };
  b.forRange(b.idx(kPageTokens / kPanelWidth), [&](Value panel) {
    b.forRange(zero, b.idx(whole), b.idx(kPanelWidth),
               [&](Value first) { square(panel, first, kPanelWidth); });
    if (whole < width)
      square(panel, b.idx(whole), width - whole);
  });
}
