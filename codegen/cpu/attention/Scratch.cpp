// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layout of a slot's scratch: small things of fixed size first.

#include "codegen/cpu/attention/Scratch.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Floats between rows of scores beyond a chunk, against cache aliasing.
static constexpr int64_t kRowGap = 16;
static constexpr int64_t kFloat = sizeof(float);

static int64_t paddedTo16(int64_t n) {
  return (n + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
}

ScratchLayout::ScratchLayout(TileBuilder &b, const AttentionForm &form,
                             Value keys)
    : rows(b.target.attentionRows), queryWidth(paddedTo16(form.headWidth)),
      valueWidth(paddedTo16(form.valueWidth)) {
  output = rows * queryWidth * kFloat;
  sums = output + rows * valueWidth * kFloat;
  references = sums + rows * kPanelWidth * kFloat;
  finite = references + paddedTo16(rows) * kFloat;
  scores = finite + kPanelWidth * kFloat;
  panels = b.ceilDiv(keys, kPanelWidth);
  scoreWidth =
      b.add(b.min(b.mul(panels, kPanelWidth), b.idx(kChunkKeys)), kRowGap);
  keyPanels = b.add(b.mul(scoreWidth, rows * kFloat), scores);
  bytes =
      b.add(keyPanels, b.mul(panels, form.headWidth * kPanelWidth * kFloat));
}

ScratchBuffers::ScratchBuffers(TileBuilder &b, const AttentionForm &form,
                               const ScratchLayout &layout) {
  Type f32 = b.getF32Type();
  int64_t any = ShapedType::kDynamic;
  auto fixed = [&](int64_t offset, ArrayRef<int64_t> shape) {
    return b.scratch(b.idx(offset), MemRefType::get(shape, f32));
  };
  queries = fixed(0, {layout.rows, layout.queryWidth});
  outputs = fixed(layout.output, {layout.rows, layout.valueWidth});
  sums = fixed(layout.sums, {layout.rows, kPanelWidth});
  references = fixed(layout.references, {layout.rows});
  finite = fixed(layout.finite, {1});
  scores =
      b.scratch(b.idx(layout.scores), MemRefType::get({layout.rows, any}, f32),
                layout.scoreWidth);
  keyPanels = b.scratch(
      layout.keyPanels,
      MemRefType::get({any, form.headWidth, kPanelWidth}, f32), layout.panels);
}
