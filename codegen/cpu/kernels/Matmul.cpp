// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.matmul: the product of two activations, panel by panel of columns.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/tiles/RowTiles.h"
#include "dialect/AttnOps.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// A buffer [..., r, c] as [batch, r, c].
static Value asBatches(TileBuilder &b, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t rank = type.getRank();
  if (rank == 3)
    return buffer;
  if (rank == 2) {
    SmallVector<OpFoldResult> sizes = {b.getIndexAttr(1)};
    for (int64_t d = 0; d < 2; ++d)
      sizes.push_back(getAsOpFoldResult(b.dim(buffer, d)));
    auto expanded = MemRefType::get({1, type.getDimSize(0), type.getDimSize(1)},
                                    type.getElementType());
    return memref::ExpandShapeOp::create(
        b, expanded, buffer, ArrayRef<ReassociationIndices>{{0, 1}, {2}},
        sizes);
  }
  ReassociationIndices batch = llvm::to_vector(llvm::seq<int64_t>(0, rank - 2));
  return memref::CollapseShapeOp::create(
      b, buffer, ArrayRef<ReassociationIndices>{batch, {rank - 2}, {rank - 1}});
}

namespace {

/// 16 columns of the result for one batch.
struct Panel {
  TileBuilder &b;
  Value left, right, output; ///< [batch, m, k], [batch, k, n] or [.., n, k]
  Value packed;              ///< scratch [k, 16] where right is transposed
  Value batch, column, mask;
  Value depth;

  void pack(Value columns);
  void emitRows(Value row, int height);
};

} // namespace

/// Transposes up to 16 rows of `right` so that the product reads columns side
/// by side; lanes without a column repeat the last one and are never stored.
void Panel::pack(Value columns) {
  Value last = b.sub(columns, b.idx(1));
  b.forRange(b.idx(kPanelWidth), [&](Value lane) {
    Value from = b.min(b.add(column, lane), last);
    b.forRange(depth, [&](Value k) {
      Value element = b.loadScalar(right, {batch, from, k});
      memref::StoreOp::create(b, element, packed, ValueRange{k, lane});
    });
  });
}

void Panel::emitRows(Value row, int height) {
  SmallVector<Value> zeros(height, b.splat(0.0));
  SmallVector<Value> sums = b.forRange(
      b.idx(0), depth, b.idx(1), zeros, [&](Value k, ValueRange carried) {
        Value columns = packed ? b.load(packed, {k, b.idx(0)})
                               : b.load(right, {batch, k, column}, mask);
        SmallVector<Value> next;
        for (auto [r, sum] : llvm::enumerate(carried)) {
          Value x = b.loadScalar(left, {batch, b.add(row, r), k});
          next.push_back(b.fma(b.splat(x), columns, sum));
        }
        return next;
      });
  for (auto [r, sum] : llvm::enumerate(sums))
    b.store(sum, output, {batch, b.add(row, r), column}, mask);
}

static Value matmulScratch(TileBuilder &b, Operation *operation) {
  auto op = cast<MatmulOp>(operation);
  if (!op.getTransposeB())
    return b.idx(0);
  Value depth = b.dim(b.memory(op.getA()), op.getA().getType().getRank() - 1);
  return b.mul(depth, kPanelWidth * int64_t(sizeof(float)));
}

static LogicalResult emitMatmul(TileBuilder &b, Operation *operation) {
  auto op = cast<MatmulOp>(operation);
  Value left = asBatches(b, b.memory(op.getA()));
  Value right = asBatches(b, b.memory(op.getB()));
  Value output = asBatches(b, b.memory(op.getResult()));
  Value rows = b.dim(output, 1), columns = b.dim(output, 2);
  Value depth = b.dim(left, 2);
  Value packed;
  if (op.getTransposeB()) {
    auto type =
        MemRefType::get({ShapedType::kDynamic, kPanelWidth}, b.getF32Type());
    packed = b.scratch(b.idx(0), type, depth);
  }
  RowTiles tiles(b, b.idx(0), rows, b.target.linear.rows);
  Value panels = b.ceilDiv(columns, kPanelWidth);
  Value divisor = b.max(panels, b.idx(1));
  auto [first, last] = b.share(b.mul(b.dim(output, 0), panels));
  b.forRange(first, last, b.idx(1), [&](Value task) {
    Value column = b.mul(b.rem(task, divisor), kPanelWidth);
    Panel panel{b,      left,
                right,  output,
                packed, b.div(task, divisor),
                column, b.laneMask(b.sub(columns, column)),
                depth};
    if (packed)
      panel.pack(columns);
    tiles.emit(b, [&](Value row, int height) { panel.emitRows(row, height); });
  });
  return success();
}

const KernelEmitter attn::cpu::matmulEmitter = {.match = matchOp<MatmulOp>,
                                                .scratchBytes = matmulScratch,
                                                .emit = emitMatmul};
