// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Transposition of 16 x 16 elements by exchanging ever larger squares.

#include "codegen/cpu/tiles/Transpose.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void attn::cpu::transpose16(TileBuilder &b, MutableArrayRef<Value> rows) {
  // Rows i and i + side exchange the squares off the diagonal.
  for (int64_t side = 1; side < kPanelWidth; side *= 2) {
    SmallVector<int64_t> upper, lower;
    for (int64_t lane = 0; lane < kPanelWidth; ++lane) {
      bool right = lane & side;
      upper.push_back(right ? kPanelWidth + lane - side : lane);
      lower.push_back(right ? kPanelWidth + lane : lane + side);
    }
    for (int64_t i = 0; i < kPanelWidth; ++i) {
      if (i & side)
        continue;
      Value top = rows[i], bottom = rows[i + side];
      rows[i] = vector::ShuffleOp::create(b, top, bottom, upper);
      rows[i + side] = vector::ShuffleOp::create(b, top, bottom, lower);
    }
  }
}
