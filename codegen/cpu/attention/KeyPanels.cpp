// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys of a head as panels [D][16], transposed in registers.

#include "codegen/cpu/attention/KeyPanels.h"

#include "codegen/cpu/tiles/Transpose.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// 16 keys as a panel [D][16]. Keys beyond the last repeat it: their scores are
/// masked later.
static void packPanel(AttentionState &s, Value batch, Value keyHead,
                      Value panel) {
  TileBuilder &b = s.b;
  Value first = b.mul(panel, kPanelWidth), lastKey = b.sub(s.n, b.idx(1));
  SmallVector<Value> keys;
  for (int64_t i = 0; i < kPanelWidth; ++i)
    keys.push_back(b.min(b.add(first, i), lastKey));
  auto block = [&](Value column, int64_t width) {
    Value mask = width < kPanelWidth ? b.laneMask(b.idx(width)) : Value();
    SmallVector<Value> rows;
    for (Value key : keys)
      rows.push_back(b.load(s.form.key, {batch, keyHead, key, column}, mask));
    transpose16(b, rows);
    for (int64_t i = 0; i < width; ++i)
      b.store(rows[i], s.scratch.keyPanels,
              {panel, b.add(column, i), b.idx(0)});
  };
  int64_t full = s.form.headWidth / kPanelWidth * kPanelWidth;
  b.forRange(b.idx(0), b.idx(full), b.idx(kPanelWidth),
             [&](Value column) { block(column, kPanelWidth); });
  if (full < s.form.headWidth)
    block(b.idx(full), s.form.headWidth - full);
}

void attn::cpu::packKeys(AttentionState &s, Value batch, Value keyHead) {
  s.b.forRange(s.layout.panels,
               [&](Value panel) { packPanel(s, batch, keyHead, panel); });
}
