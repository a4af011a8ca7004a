// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.layer_norm and attn.rms_norm as kernels of their own.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/kernels/NormRow.h"
#include "codegen/cpu/tiles/ElementLoops.h"
#include "dialect/AttnOps.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// The last `axes` dimensions of a buffer as one: memref<rows x width>.
static Value asMatrix(TileBuilder &b, Value buffer, int64_t axes) {
  int64_t rank = cast<MemRefType>(buffer.getType()).getRank();
  if (axes == rank)
    return b.asRows(flatten(b, buffer));
  if (axes == 1)
    return b.asRows(buffer);
  ReassociationIndices rows = llvm::to_vector(llvm::seq(rank - axes));
  ReassociationIndices columns = llvm::to_vector(llvm::seq(rank - axes, rank));
  return memref::CollapseShapeOp::create(
      b, buffer, ArrayRef<ReassociationIndices>{rows, columns});
}

/// Whole rows of `op`'s input are shared between slots.
static void emitRows(TileBuilder &b, Operation *op, NormRow norm,
                     int64_t axes) {
  Value from = asMatrix(b, b.memory(op->getOperand(0)), axes);
  Value to = asMatrix(b, b.memory(op->getResult(0)), axes);
  norm.width = cast<MemRefType>(from.getType()).getDimSize(1);
  auto [first, last] = b.share(b.dim(from, 0));
  b.forRange(first, last, b.idx(1),
             [&](Value row) { emitNormRow(b, norm, from, row, to, row); });
}

static Value flatMemory(TileBuilder &b, Value tensor) {
  return tensor ? flatten(b, b.memory(tensor)) : Value();
}

static LogicalResult emitLayerNorm(TileBuilder &b, Operation *operation) {
  auto op = cast<LayerNormOp>(operation);
  NormRow norm{/*centered=*/true, op.getEps().convertToDouble(), /*width=*/0,
               flatMemory(b, op.getScale()), flatMemory(b, op.getShift())};
  emitRows(b, op, norm, op.getAxes());
  return success();
}

static LogicalResult emitRmsNorm(TileBuilder &b, Operation *operation) {
  auto op = cast<RmsNormOp>(operation);
  NormRow norm{/*centered=*/false, op.getEps().convertToDouble(), /*width=*/0,
               flatMemory(b, op.getScale()), /*shift=*/Value()};
  emitRows(b, op, norm, /*axes=*/1);
  return success();
}

const KernelEmitter attn::cpu::layerNormEmitter = {.match =
                                                       matchOp<LayerNormOp>,
                                                   .scratchBytes = nullptr,
                                                   .emit = emitLayerNorm};

const KernelEmitter attn::cpu::rmsNormEmitter = {
    .match = matchOp<RmsNormOp>, .scratchBytes = nullptr, .emit = emitRmsNorm};
