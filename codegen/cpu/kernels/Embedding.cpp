// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.embedding: rows of a table by computed or checked ids.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/tiles/ElementLoops.h"
#include "dialect/AttnOps.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Copies row `row` of a table of panels, [rows / width][columns][width]: its
/// elements lie a panel's width apart, in memory that is read in order.
static void copyFromPanels(TileBuilder &b, Value panels, Value row,
                           Value output, Value to) {
  auto type = cast<MemRefType>(panels.getType());
  Value panel = b.div(row, b.idx(type.getDimSize(2)));
  Value lane = b.rem(row, b.idx(type.getDimSize(2)));
  b.forRange(b.idx(type.getDimSize(1)), [&](Value column) {
    Value element = b.loadPanelScalar(panels, {panel, column, lane});
    memref::StoreOp::create(b, element, output, b.add(to, column));
  });
}

static LogicalResult emitEmbedding(TileBuilder &b, Operation *operation) {
  auto op = cast<EmbeddingOp>(operation);
  ArrayRef<int64_t> tableShape = op.getTable().getType().getShape();
  int64_t width = tableShape[1];
  if (tableShape[0] == 0)
    return op.emitError("expects a table with entries");
  Value ids = flatten(b, b.memory(op.getIds()));
  Value table = b.memory(op.getTable());
  bool isPanels = cast<MemRefType>(table.getType()).getRank() == 3;
  // Panels are of weights, whose shape is static.
  Value rows = isPanels ? b.idx(tableShape[0]) : b.dim(table, 0);
  if (!isPanels)
    table = flatten(b, table);
  Value output = flatten(b, b.memory(op.getResult()));
  Value lowest = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
  Value highest =
      arith::IndexCastOp::create(b, b.getI64Type(), b.sub(rows, b.idx(1)));

  auto [first, last] = b.share(b.dim(ids, 0));
  b.forRange(first, last, b.idx(1), [&](Value i) {
    // No id may read outside the table, whoever computed it.
    Value id = b.loadScalar(ids, i);
    id = arith::MaxSIOp::create(b, id, lowest);
    id = arith::MinSIOp::create(b, id, highest);
    Value row = arith::IndexCastOp::create(b, b.getIndexType(), id);
    Value from = b.mul(row, width), to = b.mul(i, width);
    if (isPanels)
      return copyFromPanels(b, table, row, output, to);
    b.forLanes(b.idx(width), [&](Value offset, Value mask) {
      Value elements = b.load(table, b.add(from, offset), mask);
      b.store(elements, output, b.add(to, offset), mask);
    });
  });
  return success();
}

const KernelEmitter attn::cpu::embeddingEmitter = {.match =
                                                       matchOp<EmbeddingOp>,
                                                   .scratchBytes = nullptr,
                                                   .emit = emitEmbedding};
