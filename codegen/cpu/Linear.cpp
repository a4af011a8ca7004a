// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.linear: register tiles over packed weights, epilogue in place.

#include "codegen/cpu/KernelEmitter.h"
#include "codegen/cpu/RowTiles.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// One weight of the op with what its product needs.
class Product {
public:
  Product(TileBuilder &b, LinearOp op, unsigned index);

  /// Builds the code of this slot's share.
  LogicalResult emit();

private:
  struct Tile {
    Value row;   ///< first row of the result
    Value panel; ///< first panel
    int rows, panels;
    Value mask; ///< of the last panel, or null
  };
  SmallVector<Value> multiply(const Tile &tile);
  LogicalResult finish(const Tile &tile, ArrayRef<Value> accumulators);
  LogicalResult emitTile(const Tile &tile);
  void emitPanels(Value panel, int panels, Value mask, const RowTiles &rows);
  FailureOr<Value> epilogue(Value accumulator, Value row, Value column,
                            Value mask);
  Value capture(unsigned index, Value row, Value column, Value mask);

  TileBuilder &b;
  LinearOp op;
  unsigned index;
  Value input, weight, output; ///< [M, K], [panels, K, 16], [M, N]
  int64_t k, n;
  bool failedOnce = false;
};

} // namespace

Product::Product(TileBuilder &b, LinearOp op, unsigned index)
    : b(b), op(op), index(index) {
  input = b.asRows(b.memory(op.getInput()));
  weight = b.memory(op.getWeights()[index]);
  output = b.asRows(b.memory(op.getOutputs()[index]));
  auto type = cast<RankedTensorType>(op.getWeights()[index].getType());
  n = type.getDimSize(0);
  k = type.getDimSize(1);
}

/// The accumulators of a tile, row by row, each over ascending k.
SmallVector<Value> Product::multiply(const Tile &tile) {
  SmallVector<Value> zeros(tile.rows * tile.panels, b.splat(0.0));
  return b.forRange(
      b.idx(0), b.idx(k), b.idx(1), zeros, [&](Value kk, ValueRange sums) {
        SmallVector<Value> columns, next;
        for (int p = 0; p < tile.panels; ++p)
          columns.push_back(
              b.load(weight, {b.add(tile.panel, p), kk, b.idx(0)}));
        for (int r = 0; r < tile.rows; ++r) {
          Value x = b.splat(b.loadScalar(input, {b.add(tile.row, r), kk}));
          for (int p = 0; p < tile.panels; ++p)
            next.push_back(b.fma(x, columns[p], sums[r * tile.panels + p]));
        }
        return next;
      });
}

/// 16 elements of a capture as the coordinates of (row, column...) read it.
Value Product::capture(unsigned i, Value row, Value column, Value mask) {
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
    if (map.isFunctionOfDim(d))
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

FailureOr<Value> Product::epilogue(Value accumulator, Value row, Value column,
                                   Value mask) {
  if (op.getEpilogues().empty())
    return accumulator;
  Region &region = op.getEpilogues()[index];
  SmallVector<Value> arguments = {accumulator};
  for (unsigned i = 0; i < op.getCaptures().size(); ++i) {
    bool used = !region.getArgument(i + 1).use_empty();
    arguments.push_back(used ? capture(i, row, column, mask) : Value());
  }
  FailureOr<SmallVector<Value>> yielded =
      inlineLanes(b, region, arguments, mask);
  if (failed(yielded))
    return failure();
  return b.splat(yielded->front());
}

LogicalResult Product::finish(const Tile &tile, ArrayRef<Value> accumulators) {
  for (int r = 0; r < tile.rows; ++r)
    for (int p = 0; p < tile.panels; ++p) {
      Value row = b.add(tile.row, r);
      Value column = b.mul(b.add(tile.panel, p), kPanelWidth);
      Value mask = p + 1 == tile.panels ? tile.mask : Value();
      FailureOr<Value> value =
          epilogue(accumulators[r * tile.panels + p], row, column, mask);
      if (failed(value))
        return failure();
      b.store(*value, output, {row, column}, mask);
    }
  return success();
}

LogicalResult Product::emitTile(const Tile &tile) {
  return finish(tile, multiply(tile));
}

void Product::emitPanels(Value panel, int panels, Value mask,
                         const RowTiles &rows) {
  rows.emit(b, [&](Value row, int height) {
    failedOnce |= failed(emitTile({row, panel, height, panels, mask}));
  });
}

LogicalResult Product::emit() {
  MatrixTile tile = b.target.linear;
  int64_t full = n / (kPanelWidth * tile.panels);
  auto [first, last] = b.share(b.idx(full));
  RowTiles rows(b, b.idx(0), b.dim(input, 0), tile.rows);
  b.forRange(first, last, b.idx(1), [&](Value group) {
    emitPanels(b.mul(group, tile.panels), tile.panels, {}, rows);
  });
  // What is left of N: the last slot has the least to do.
  int64_t done = full * tile.panels * kPanelWidth;
  if (done == n)
    return failure(failedOnce);
  b.ifThen(b.equal(b.add(b.slot(), 1), b.slots()), [&] {
    for (int64_t column = done; column < n; column += kPanelWidth) {
      Value mask =
          n - column < kPanelWidth ? b.laneMask(b.idx(n - column)) : Value();
      emitPanels(b.idx(column / kPanelWidth), 1, mask, rows);
    }
  });
  return failure(failedOnce);
}

static LogicalResult emitLinear(TileBuilder &b, Operation *operation) {
  auto op = cast<LinearOp>(operation);
  if (!op.getPrologue().empty())
    return op.emitError("a prologue of 'attn.linear' is not lowered yet");
  for (unsigned i = 0; i < op.getWeights().size(); ++i)
    if (failed(Product(b, op, i).emit()))
      return failure();
  return success();
}

const KernelEmitter attn::cpu::linearEmitter = {
    .match = matchOp<LinearOp>, .scratchBytes = nullptr, .emit = emitLinear};
