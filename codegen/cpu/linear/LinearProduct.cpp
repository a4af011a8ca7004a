// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tiles of one weight: product, prefetching, epilogue.

#include "codegen/cpu/linear/LinearProduct.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

LinearProduct::LinearProduct(TileBuilder &b, LinearForm &form, unsigned index,
                             Value scratch, Value waiting)
    : groups(form.groupsOf(index)), b(b), form(form), op(form.op), index(index),
      waiting(waiting) {
  weight = b.memory(op.getWeights()[index]);
  lines = memref::CollapseShapeOp::create(
      b, weight, ArrayRef<ReassociationIndices>{{0}, {1, 2}});
  output = b.asRows(b.memory(op.getOutputs()[index]));
  n = cast<RankedTensorType>(op.getWeights()[index].getType()).getDimSize(0);
  if (form.finishesInScratch(index))
    tileScratch = scratch;
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// Where a tile prefetches: `line`, and `step` floats on for each column.
struct LinearProduct::Prefetch {
  Value panel, start, step;
};

/// Lines of the next group's panels: up to four tiles share a panel, so that
/// memory is asked for evenly. Tiles after them touch the current panel
/// instead, which is cheaper than a branch.
LinearProduct::Prefetch LinearProduct::planPrefetch(const RowBlock &block,
                                                    const InputSlice &slice,
                                                    const Tile &tile) {
  auto pick = [&](int64_t four, int64_t two, int64_t one) {
    auto enoughFor = [&](int sharers) {
      return b.less(b.idx(sharers * tile.panels - 1), block.tiles->count());
    };
    return b.select(enoughFor(4), b.idx(four),
                    b.select(enoughFor(2), b.idx(two), b.idx(one)));
  };
  Value sharers = pick(4, 2, 1);
  Value ahead = b.div(tile.number, sharers);
  Value active = b.less(ahead, b.idx(tile.panels));
  Value last = b.idx(cast<MemRefType>(weight.getType()).getDimSize(0) - 1);
  Value panel =
      b.select(active, b.min(b.add(tile.next, ahead), last), tile.panel);
  Value column = b.select(active, tile.nextColumn, slice.first);
  Value part = b.mul(b.rem(tile.number, sharers), b.div(slice.count, sharers));
  return {panel, b.mul(b.add(column, part), kPanelWidth),
          pick(kPanelWidth / 4, kPanelWidth / 2, kPanelWidth)};
}

/// The accumulators before this slice.
SmallVector<Value> LinearProduct::begin(const Tile &tile,
                                        const InputSlice &slice) {
  SmallVector<Value> zeros(tile.rows * tile.panels, b.splat(0.0));
  if (!slice.isFirst)
    return zeros;
  return b.ifElse(
      slice.isFirst, zeros.size(), [&] { return zeros; },
      [&] {
        SmallVector<Value> sums;
        forWaiting(tile, [&](int, Value buffer, ValueRange at, Value mask) {
          sums.push_back(b.load(buffer, at, mask));
        });
        return sums;
      });
}

/// The accumulators after this slice, k ascending.
SmallVector<Value> LinearProduct::multiply(const RowBlock &block,
                                           const InputSlice &slice,
                                           const Tile &tile) {
  MultiplyOptions options;
  options.unroll = form.k % 2 == 0 ? 2 : 1;
  Prefetch prefetch;
  auto fetch = [&](Value line) {
    memref::PrefetchOp::create(b, lines, ValueRange{prefetch.panel, line},
                               /*isWrite=*/false, /*localityHint=*/2,
                               /*isDataCache=*/true);
  };
  if (b.target.prefetchNextPanel) {
    prefetch = planPrefetch(block, slice, tile);
    options.walk = fetch;
    options.walkFrom = prefetch.start;
    options.walkStep = prefetch.step;
  }
  Value inputRow = b.add(block.inputRow, b.sub(tile.row, block.first));
  return multiplyTile(
      b, tile.rows, tile.panels, slice.count, begin(tile, slice),
      [&](int r, Value k) {
        return b.loadScalar(block.input, {b.add(inputRow, r), k});
      },
      [&](int p, Value k) {
        return b.loadPanel(
            weight, {b.add(tile.panel, p), b.add(slice.first, k), b.idx(0)});
      },
      options);
}

//===----------------------------------------------------------------------===//
// The epilogue
//===----------------------------------------------------------------------===//

/// 16 elements of a capture, as the result's coordinates (row..., column...)
/// select them.
Value LinearProduct::capture(unsigned i, Value row, Value column, Value mask) {
  Value buffer = b.memory(op.getCaptures()[i]);
  AffineMap map = cast<AffineMapAttr>((*op.getCaptureMaps())[i]).getValue();
  unsigned last = map.getNumDims() - 1;
  if (map.isIdentity())
    return b.load(b.asRows(buffer), {row, column}, mask);

  // The row's coordinate in each leading dimension of the result.
  Value result = b.memory(op.getOutputs()[index]);
  SmallVector<Value> coordinates(last + 1);
  Value rest = row;
  for (int64_t d = int64_t(last) - 1; d > 0; --d) {
    coordinates[d] = b.rem(rest, b.dim(result, d));
    rest = b.div(rest, b.dim(result, d));
  }
  coordinates[0] = rest;
  coordinates[last] = column;

  SmallVector<Value> indices;
  std::optional<unsigned> columnAt;
  for (auto [position, expression] : llvm::enumerate(map.getResults())) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expression)) {
      indices.push_back(b.idx(constant.getValue()));
      continue;
    }
    unsigned d = cast<AffineDimExpr>(expression).getPosition();
    if (d == last)
      columnAt = position;
    indices.push_back(coordinates[d]);
  }
  if (!columnAt)
    return b.splat(b.loadScalar(buffer, indices));
  if (*columnAt + 1 == indices.size())
    return b.load(buffer, indices, mask);
  indices[*columnAt] = b.laneIndices(column);
  return b.gather(buffer, indices, mask);
}

Value LinearProduct::epilogue(Value sum, Value row, Value column, Value mask) {
  if (op.getEpilogues().empty())
    return sum;
  Region &region = op.getEpilogues()[index];
  SmallVector<Value> arguments = {sum};
  for (unsigned i = 0; i < op.getCaptures().size(); ++i) {
    bool used = !region.getArgument(i + 1).use_empty();
    arguments.push_back(used ? capture(i, row, column, mask) : Value());
  }
  FailureOr<SmallVector<Value>> yielded =
      inlineLanes(b, region, arguments, mask);
  failed |= mlir::failed(yielded);
  return failed ? sum : b.splat(yielded->front());
}

void LinearProduct::finish(Value sum, Value row, Value column, Value mask) {
  b.store(epilogue(sum, row, column, mask), output, {row, column}, mask);
}

/// body(position, row, column, mask) for each vector of a tile's result.
void LinearProduct::forElements(
    const Tile &tile, llvm::function_ref<void(int, Value, Value, Value)> body) {
  for (int r = 0; r < tile.rows; ++r)
    for (int p = 0; p < tile.panels; ++p)
      body(r * tile.panels + p, b.add(tile.row, r),
           b.mul(b.add(tile.panel, p), kPanelWidth),
           p + 1 == tile.panels ? tile.mask : Value());
}

/// body(position, buffer, indices, mask): where each vector of a tile waits
/// between slices.
void LinearProduct::forWaiting(
    const Tile &tile,
    llvm::function_ref<void(int, Value, ValueRange, Value)> body) {
  forElements(tile, [&](int i, Value row, Value column, Value mask) {
    if (!waiting)
      return body(i, output, {row, column}, mask);
    Value blockRow = b.add(tile.blockRow, i / tile.panels);
    body(i, waiting, {blockRow, column}, {});
  });
}

/// Stores the tile and walks its rows while it is hot in L1.
void LinearProduct::finishInScratch(const Tile &tile, ArrayRef<Value> sums) {
  auto place = [&](Value r, int p) {
    return b.mul(b.add(b.mul(r, tile.panels), p), kPanelWidth);
  };
  for (int r = 0; r < tile.rows; ++r)
    for (int p = 0; p < tile.panels; ++p)
      b.store(sums[r * tile.panels + p], tileScratch, place(b.idx(r), p));
  b.forRange(b.idx(tile.rows), [&](Value r) {
    for (int p = 0; p < tile.panels; ++p)
      finish(b.load(tileScratch, place(r, p)), b.add(tile.row, r),
             b.mul(b.add(tile.panel, p), kPanelWidth),
             p + 1 == tile.panels ? tile.mask : Value());
  });
}

void LinearProduct::end(const Tile &tile, const InputSlice &slice,
                        ArrayRef<Value> sums) {
  auto finishTile = [&] {
    if (tileScratch)
      return finishInScratch(tile, sums);
    forElements(tile, [&](int i, Value row, Value column, Value mask) {
      finish(sums[i], row, column, mask);
    });
  };
  if (!slice.isLast)
    return finishTile();
  b.ifElse(slice.isLast, finishTile, [&] {
    forWaiting(tile, [&](int i, Value buffer, ValueRange at, Value mask) {
      b.store(sums[i], buffer, at, mask);
    });
  });
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void LinearProduct::emitGroup(const RowBlock &block, const InputSlice &slice,
                              Tile tile) {
  block.tiles->emit(b, [&](Value row, int height) {
    tile.row = row;
    tile.blockRow = b.sub(row, block.first);
    tile.rows = height;
    tile.number = b.div(tile.blockRow, height);
    end(tile, slice, multiply(block, slice, tile));
  });
}

LogicalResult LinearProduct::emit(const RowBlock &block,
                                  const InputSlice &slice, Value first,
                                  Value last, int together) {
  int panels = b.target.linear.panels;
  int64_t width = kPanelWidth * panels, full = n / width, rest = n % width;
  Value end = b.min(last, b.idx(full));
  auto emitGroups = [&](Value from, Value to, int step) {
    b.forRange(from, to, b.idx(step), [&](Value group) {
      Value following = b.add(group, step), more = b.less(following, last);
      Tile tile;
      tile.panel = b.mul(group, panels);
      tile.panels = step * panels;
      tile.next = b.mul(b.select(more, following, first), panels);
      tile.nextColumn = b.select(more, slice.first, slice.next);
      emitGroup(block, slice, tile);
    });
  };
  Value alone = first;
  if (together > 1 && full >= together) {
    Value runs = b.div(b.sub(b.max(end, first), first), b.idx(together));
    alone = b.add(first, b.mul(runs, together));
    emitGroups(first, alone, together);
  }
  emitGroups(alone, end, 1);
  if (rest == 0)
    return failure(failed);
  Value mine = arith::AndIOp::create(b, b.less(b.idx(full), last),
                                     b.less(first, b.idx(full + 1)));
  b.ifThen(mine, [&] {
    int64_t lanes = rest % kPanelWidth;
    Tile tile;
    tile.panel = b.idx(full * panels);
    tile.panels = llvm::divideCeil(rest, kPanelWidth);
    tile.next = b.mul(first, panels);
    tile.nextColumn = slice.next;
    if (lanes)
      tile.mask = b.laneMask(b.idx(lanes));
    emitGroup(block, slice, tile);
  });
  return failure(failed);
}
