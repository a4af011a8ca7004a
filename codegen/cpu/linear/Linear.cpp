// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.linear: register tiles over packed weights, epilogue in place.
//
// Rows are cut into blocks that stay in L2 and columns into groups of panels
// that a register tile spans. A task is one group over one block; slots take
// contiguous runs of tasks, block by block, group by group. Within a task the
// row tiles follow one another.
//
// A long row is multiplied slice by slice: all of a slot's groups with the
// first slice of a block, then all with the second. Between slices the
// accumulators wait in the result, or in scratch where the result may lie over
// an operand; there is one accumulator for each element, k ascending. Tiles
// read rows from scratch, where the prologue or a copy puts them with a stride
// that suits L1. A single row stays in L1 whole and is not sliced: then the
// weights, which it waits for, are read in the order in which they lie.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/kernels/NormRow.h"
#include "codegen/cpu/linear/InputRows.h"
#include "codegen/cpu/linear/LinearProduct.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

//===----------------------------------------------------------------------===//
// The rows
//===----------------------------------------------------------------------===//

static FailureOr<NormRow> readPrologue(TileBuilder &b, LinearOp op) {
  Block &body = op.getPrologue().front();
  auto captured = [&](Value value) -> Value {
    auto argument = dyn_cast_or_null<BlockArgument>(value);
    return argument
               ? b.memory(op.getPrologueCaptures()[argument.getArgNumber() - 1])
               : Value();
  };
  NormRow norm;
  norm.width =
      cast<RankedTensorType>(op.getInput().getType()).getShape().back();
  Operation *value = body.getTerminator()->getOperand(0).getDefiningOp();
  if (auto layer = dyn_cast_or_null<LayerNormOp>(value);
      layer && layer.getInput() == body.getArgument(0)) {
    norm.centered = true;
    norm.eps = layer.getEps().convertToDouble();
    norm.scale = captured(layer.getScale());
    norm.shift = captured(layer.getShift());
    return norm;
  }
  if (auto rms = dyn_cast_or_null<RmsNormOp>(value);
      rms && rms.getInput() == body.getArgument(0)) {
    norm.centered = false;
    norm.eps = rms.getEps().convertToDouble();
    norm.scale = captured(rms.getScale());
    return norm;
  }
  return op.emitError("a prologue other than one norm of the row is not "
                      "lowered yet");
}

/// This slot's scratch for `rows` rows.
static Value rowsScratch(TileBuilder &b, LinearForm &form, Value rows) {
  auto type =
      MemRefType::get({ShapedType::kDynamic, form.stride}, b.getF32Type());
  return b.scratch(b.idx(form.tileBytes()), type, rows);
}

/// Writes the normed rows of a block to scratch.
static LogicalResult normRows(TileBuilder &b, LinearForm &form,
                              InputRows &input, RowBlock &block) {
  FailureOr<NormRow> norm = readPrologue(b, form.op);
  if (failed(norm))
    return failure();
  Value rows = rowsScratch(b, form, block.count);
  b.forRange(block.count, [&](Value row) {
    Value from = input.at(b.add(block.first, row));
    emitNormRow(b, *norm, block.input, from, rows, row);
  });
  block.input = rows;
  block.inputRow = b.idx(0);
  return success();
}

/// The block with its slice in scratch.
static RowBlock copyRows(TileBuilder &b, LinearForm &form, InputRows &input,
                         RowBlock block, const InputSlice &slice) {
  Value rows = rowsScratch(b, form, block.count);
  b.forRange(block.count, [&](Value row) {
    Value from = input.at(b.add(block.inputRow, row));
    b.forLanes(slice.count, [&](Value column, Value mask) {
      Value x = b.load(block.input, {from, b.add(slice.first, column)}, mask);
      b.store(x, rows, {row, column}, mask);
    });
  });
  block.input = rows;
  block.inputRow = b.idx(0);
  return block;
}

/// The block as columns of memory that begin with the slice. Were the sum of
/// both columns an index, the one that panels have, LLVM would load a tile's
/// whole column for it before the first product, and spill most of it.
static RowBlock viewSlice(TileBuilder &b, LinearForm &form, RowBlock block,
                          const InputSlice &slice) {
  if (!form.isSliced())
    return block;
  Value rows = b.dim(block.input, 0),
        columns = b.sub(b.idx(form.k), slice.first);
  SmallVector<OpFoldResult> offsets = {b.getIndexAttr(0), slice.first};
  SmallVector<OpFoldResult> sizes = {rows, columns};
  SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
  block.input =
      memref::SubViewOp::create(b, block.input, offsets, sizes, strides);
  return block;
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

static Value blockRows(TileBuilder &b, LinearForm &form) {
  return b.min(InputRows(b, form.op).count, b.idx(form.largestBlock()));
}

/// Where the accumulators of weight `index` wait in scratch.
static Value waitingBytesBefore(TileBuilder &b, LinearForm &form,
                                unsigned index) {
  int64_t columns = form.stride;
  for (unsigned i = 0; i < index; ++i)
    columns += form.waitingColumns(i);
  return b.add(b.mul(blockRows(b, form), columns * int64_t(sizeof(float))),
               b.idx(form.tileBytes()));
}

static Value waitingScratch(TileBuilder &b, LinearForm &form, unsigned index) {
  int64_t columns = form.waitingColumns(index);
  if (columns == 0)
    return {};
  auto type = MemRefType::get({ShapedType::kDynamic, columns}, b.getF32Type());
  return b.scratch(waitingBytesBefore(b, form, index), type,
                   blockRows(b, form));
}

static Value linearScratch(TileBuilder &b, Operation *operation) {
  LinearForm form(cast<LinearOp>(operation), b.target);
  return waitingBytesBefore(b, form, form.op.getWeights().size());
}

/// The number of row blocks: enough to fit L2, and to give every slot about
/// four tasks where a block has few groups.
static Value blockCount(TileBuilder &b, LinearForm &form, Value rows) {
  Value forCache = b.ceilDiv(rows, form.largestBlock());
  Value forSlots =
      b.ceilDiv(b.mul(b.slots(), 4), std::max<int64_t>(form.groups, 1));
  Value most = b.ceilDiv(rows, b.target.linear.rows);
  return b.max(b.max(forCache, b.min(forSlots, most)), b.idx(1));
}

static InputSlice wholeSlice(TileBuilder &b, LinearForm &form) {
  return {b.idx(0), b.idx(form.k), b.idx(0), {}, {}};
}

static void forSlices(TileBuilder &b, LinearForm &form,
                      llvm::function_ref<void(InputSlice)> body) {
  if (!form.isSliced())
    return body(wholeSlice(b, form));
  Value k = b.idx(form.k), depth = b.idx(form.slice);
  b.forRange(b.idx(0), k, depth, [&](Value first) {
    Value after = b.add(first, depth);
    Value isLast = b.less(b.sub(k, b.idx(1)), after);
    // The last slice may be shorter: begin earlier rather than read beyond it.
    Value next = b.select(isLast, b.idx(0), b.min(after, b.sub(k, depth)));
    Value count =
        form.k % form.slice == 0 ? depth : b.min(depth, b.sub(k, first));
    body({first, count, next, b.equal(first, b.idx(0)), isLast});
  });
}

static LogicalResult emitLinear(TileBuilder &b, Operation *operation) {
  LinearForm form(cast<LinearOp>(operation), b.target);
  Value tileScratch;
  if (form.tileBytes())
    tileScratch = b.scratch(
        b.idx(0), MemRefType::get({form.tileBytes() / int64_t(sizeof(float))},
                                  b.getF32Type()));
  SmallVector<LinearProduct> products;
  for (unsigned i = 0; i < form.op.getWeights().size(); ++i)
    products.emplace_back(b, form, i, tileScratch, waitingScratch(b, form, i));

  InputRows input(b, form.op);
  Value rows = input.count;
  Value blocks = blockCount(b, form, rows);
  auto [first, last] = b.share(b.mul(blocks, form.groups));
  bool failedOnce = false;
  // This slot's run of tasks in block `i`, weight by weight; what is below 0
  // counts as 0.
  auto multiply = [&, first = first,
                   last = last](Value i, const RowBlock &block,
                                const InputSlice &slice, int together = 1) {
    int64_t base = 0; // of a weight's groups among those of the block
    for (LinearProduct &product : products) {
      Value origin = b.add(b.mul(i, form.groups), base);
      Value end = b.idx(product.groups);
      failedOnce |= failed(product.emit(
          block, slice, b.sub(b.max(first, origin), origin),
          b.min(b.sub(b.max(last, origin), origin), end), together));
      base += product.groups;
    }
  };
  auto emitBlock = [&](Value i) {
    Value start = b.div(b.mul(rows, i), blocks);
    Value count = b.sub(b.div(b.mul(rows, b.add(i, 1)), blocks), start);
    RowTiles tiles(b, start, count, b.target.linear.rows);
    RowBlock block{start, count, input.memory, start, &tiles};
    if (!form.op.getPrologue().empty())
      failedOnce |= failed(normRows(b, form, input, block));
    auto emitSlices = [&] {
      forSlices(b, form, [&](const InputSlice &slice) {
        multiply(i,
                 form.copiesRows() ? copyRows(b, form, input, block, slice)
                                   : viewSlice(b, form, block, slice),
                 slice);
      });
    };
    auto emitRow = [&] {
      RowTiles row(b, start, count, /*tallest=*/1);
      RowBlock whole = block;
      whole.tiles = &row;
      if (form.op.getPrologue().empty())
        whole.inputRow = input.at(start);
      multiply(i, whole, wholeSlice(b, form), form.groupsOfRow());
    };
    b.ifElse(b.equal(count, b.idx(1)), emitRow, emitSlices);
  };
  b.forRange(b.div(first, form.groups), b.ceilDiv(last, form.groups), b.idx(1),
             emitBlock);
  return failure(failedOnce);
}

const KernelEmitter attn::cpu::linearEmitter = {.match = matchOp<LinearOp>,
                                                .scratchBytes = linearScratch,
                                                .emit = emitLinear};
