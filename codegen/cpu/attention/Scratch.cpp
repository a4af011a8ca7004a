// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layout of a slot's scratch: small things of fixed size first.

#include "codegen/cpu/attention/Scratch.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Floats between rows of scores beyond a chunk: short rows then share no lines
/// of a cache that has a power of two of them.
static constexpr int64_t kRowGap = 5 * kPanelWidth;
static constexpr int64_t kFloat = sizeof(float);
static constexpr int64_t kMostRuns = kChunkKeys / kBlockKeys, kRunWords = 3;

static int64_t paddedTo16(int64_t n) {
  return (n + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
}

/// Rows of a sided buffer that does not grow with the keys.
static int64_t rowsOf(Side side, int64_t rows) {
  return side == Side::Row ? rows : 1;
}

ScratchLayout::ScratchLayout(TileBuilder &b, const AttentionForm &form,
                             Value keys, Value values)
    : rows(b.target.attentionRows), valueWidth(paddedTo16(form.valueWidth)),
      panels(b.ceilDiv(keys, kPanelWidth)) {
  const ScoreProgram &program = form.program;
  int64_t fixed = 0;
  auto take = [&](int64_t floats) {
    return std::exchange(fixed, fixed + paddedTo16(floats) * kFloat);
  };
  output = take(rows * valueWidth);
  sums = take(rows * kPanelWidth);
  references = take(rows);
  totalOutput = take(rows * valueWidth);
  totalSums = take(rows * kPanelWidth);
  totalReferences = take(rows);
  factors = take(rows);
  finite = take(1);
  runs = take(kMostRuns * kRunWords * sizeof(int64_t) / kFloat);
  vectors.resize(program.vectors().size());
  for (auto [at, vector] : llvm::zip(vectors, program.vectors()))
    if (vector.side != Side::Key)
      at = b.idx(take(rowsOf(vector.side, rows) * paddedTo16(vector.width)));
  scalars.resize(program.scalars().size());
  for (auto [at, scalar] : llvm::zip(scalars, program.scalars()))
    if (scalar.side != Side::Key)
      at = b.idx(take(rowsOf(scalar.side, rows)));

  bytes = b.idx(fixed);
  auto takePanels = [&](Value count, int64_t floats) {
    Value at = bytes;
    bytes = b.add(bytes, b.mul(count, floats * kFloat));
    return at;
  };
  // A constant, so that the addresses of all rows are one register and offsets.
  scoreWidth = kChunkKeys + kRowGap;
  auto takeScores = [&] { return takePanels(b.idx(rows), scoreWidth); };
  for (size_t i = 0; i < program.terms().size(); ++i)
    terms.push_back(takeScores());
  scores = form.scoresReplaceTerm() ? terms.front() : takeScores();
  valuePanels = takePanels(values, valueWidth);
  for (auto [at, vector] : llvm::zip(vectors, program.vectors()))
    if (vector.side == Side::Key)
      at = takePanels(panels, vector.width * kPanelWidth);
  for (auto [at, scalar] : llvm::zip(scalars, program.scalars()))
    if (scalar.side == Side::Key)
      at = takePanels(panels, kPanelWidth);
}

ScratchBuffers::ScratchBuffers(TileBuilder &b, const AttentionForm &form,
                               const ScratchLayout &layout) {
  const ScoreProgram &program = form.program;
  Type f32 = b.getF32Type();
  int64_t any = ShapedType::kDynamic;
  auto fixed = [&](Value offset, ArrayRef<int64_t> shape) {
    return b.scratch(offset, MemRefType::get(shape, f32));
  };
  outputs = fixed(b.idx(layout.output), {layout.rows, layout.valueWidth});
  sums = fixed(b.idx(layout.sums), {layout.rows, kPanelWidth});
  references = fixed(b.idx(layout.references), {layout.rows});
  totalOutputs =
      fixed(b.idx(layout.totalOutput), {layout.rows, layout.valueWidth});
  totalSums = fixed(b.idx(layout.totalSums), {layout.rows, kPanelWidth});
  totalReferences = fixed(b.idx(layout.totalReferences), {layout.rows});
  factors = fixed(b.idx(layout.factors), {layout.rows});
  finite = fixed(b.idx(layout.finite), {1});
  runs = b.scratch(b.idx(layout.runs),
                   MemRefType::get({kMostRuns, kRunWords}, b.getIndexType()));
  for (auto [at, vector] : llvm::zip(layout.vectors, program.vectors()))
    vectors.push_back(
        vector.side == Side::Key
            ? b.scratch(at,
                        MemRefType::get({any, vector.width, kPanelWidth}, f32),
                        layout.panels)
            : fixed(at, {rowsOf(vector.side, layout.rows),
                         paddedTo16(vector.width)}));
  for (auto [at, scalar] : llvm::zip(layout.scalars, program.scalars()))
    scalars.push_back(scalar.side == Side::Key
                          ? b.scratch(at, MemRefType::get({any}, f32),
                                      b.mul(layout.panels, kPanelWidth))
                          : fixed(at, {rowsOf(scalar.side, layout.rows)}));
  auto chunk = [&](Value at) {
    return fixed(at, {layout.rows, layout.scoreWidth});
  };
  for (Value at : layout.terms)
    terms.push_back(chunk(at));
  scores = form.scoresReplaceTerm() ? terms.front() : chunk(layout.scores);
  valuePanels = b.scratch(
      layout.valuePanels,
      MemRefType::get({layout.valueWidth / kPanelWidth, any, kPanelWidth}, f32),
      form.positions(b));
}
