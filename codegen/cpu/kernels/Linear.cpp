// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.linear: register tiles over packed weights, epilogue in place.
//
// Rows are cut into blocks that stay in L2 and columns into groups of panels
// that a register tile spans. A task is one group over one block; slots take
// contiguous runs of tasks, block by block, group by group. Within a task the
// row tiles follow one another while the panels stay in L1.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/kernels/NormRow.h"
#include "codegen/cpu/tiles/RowTiles.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// A register tile: where it lies and where its rows are read from.
struct Tile {
  Value row;      ///< first row of the result
  Value inputRow; ///< first row in the (normed) input
  Value panel;    ///< first panel
  int rows, panels;
  Value mask; ///< of the last panel, or null
};

/// A block of rows and where its input lies.
struct RowBlock {
  Value first, count;
  Value input;    ///< [rows, K]
  Value inputRow; ///< of the block's first row
  const RowTiles *tiles;
};

/// One weight of the op.
class Product {
public:
  Product(TileBuilder &b, LinearOp op, unsigned index, Value tileScratch);

  int64_t groups() const { return (n + groupWidth() - 1) / groupWidth(); }
  /// The code for groups [first, last) of this weight over a block.
  void emit(const RowBlock &block, Value first, Value last);

  bool failed = false;

private:
  int64_t groupWidth() const { return kPanelWidth * b.target.linear.panels; }
  void emitGroup(const RowBlock &block, Value panel, int panels, Value mask);
  SmallVector<Value> multiply(const RowBlock &block, const Tile &tile);
  void prefetch(const RowBlock &block, const Tile &tile, Value k);
  void finishInRegisters(const Tile &tile, ArrayRef<Value> accumulators);
  void finishInScratch(const Tile &tile, ArrayRef<Value> accumulators);
  void finish(Value accumulator, Value row, Value panel, Value mask);
  Value epilogue(Value accumulator, Value row, Value column, Value mask);
  Value capture(unsigned i, Value row, Value column, Value mask);

  TileBuilder &b;
  LinearOp op;
  unsigned index;
  Value weight, output; ///< [panels, K, 16], [M, N]
  Value tileScratch;    ///< one tile of floats, or null
  int64_t k, n;
};

} // namespace

/// Whether an epilogue calls an elementary function, which takes registers.
static bool isLong(Region &epilogue) {
  return llvm::any_of(epilogue.front(), [](Operation &op) {
    return isa<GeluOp>(op) ||
           (isa<math::MathDialect>(op.getDialect()) &&
            !isa<math::AbsFOp, math::FmaOp, math::SqrtOp>(op));
  });
}

Product::Product(TileBuilder &b, LinearOp op, unsigned index, Value scratch)
    : b(b), op(op), index(index) {
  weight = b.memory(op.getWeights()[index]);
  output = b.asRows(b.memory(op.getOutputs()[index]));
  auto type = cast<RankedTensorType>(op.getWeights()[index].getType());
  n = type.getDimSize(0);
  k = type.getDimSize(1);
  if (!op.getEpilogues().empty() && isLong(op.getEpilogues()[index]))
    tileScratch = scratch;
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// Fetches lines of the next group's panels: kSpread tiles share a panel, so
/// that memory is asked for evenly. Later tiles touch the current panel
/// instead, which is cheaper than a branch.
void Product::prefetch(const RowBlock &block, const Tile &tile, Value k) {
  constexpr int64_t kSpread = 4;
  Value number = b.div(b.sub(tile.row, block.first), tile.rows);
  Value active = b.less(number, b.idx(kSpread * tile.panels));
  Value last = b.idx(cast<MemRefType>(weight.getType()).getDimSize(0) - 1);
  Value next = b.add(b.add(tile.panel, tile.panels), b.div(number, kSpread));
  Value panel =
      b.createOrFold<arith::SelectOp>(active, b.min(next, last), tile.panel);
  Value part = b.mul(b.rem(number, kSpread), this->k / kSpread);
  memref::PrefetchOp::create(
      b, weight, ValueRange{panel, b.add(part, b.div(k, kSpread)), b.idx(0)},
      /*isWrite=*/false, /*localityHint=*/2, /*isDataCache=*/true);
}

/// The accumulators of a tile, row by row, each over ascending k.
SmallVector<Value> Product::multiply(const RowBlock &block, const Tile &tile) {
  SmallVector<Value> zeros(tile.rows * tile.panels, b.splat(0.0));
  return multiplyTile(
      b, tile.rows, tile.panels, b.idx(k), zeros,
      [&](int r, Value kk) {
        return b.loadScalar(block.input, {b.add(tile.inputRow, r), kk});
      },
      [&](int p, Value kk) {
        if (p == 0 && b.target.prefetchNextPanel)
          prefetch(block, tile, kk);
        return b.load(weight, {b.add(tile.panel, p), kk, b.idx(0)});
      });
}

//===----------------------------------------------------------------------===//
// The epilogue
//===----------------------------------------------------------------------===//

/// 16 elements of a capture, as the result's coordinates (row..., column...)
/// select them.
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

Value Product::epilogue(Value accumulator, Value row, Value column,
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
  failed |= mlir::failed(yielded);
  return failed ? accumulator : b.splat(yielded->front());
}

void Product::finish(Value accumulator, Value row, Value panel, Value mask) {
  Value column = b.mul(panel, kPanelWidth);
  b.store(epilogue(accumulator, row, column, mask), output, {row, column},
          mask);
}

void Product::finishInRegisters(const Tile &tile,
                                ArrayRef<Value> accumulators) {
  for (int r = 0; r < tile.rows; ++r)
    for (int p = 0; p < tile.panels; ++p)
      finish(accumulators[r * tile.panels + p], b.add(tile.row, r),
             b.add(tile.panel, p), p + 1 == tile.panels ? tile.mask : Value());
}

/// Stores the tile and walks its rows while it is hot in L1.
void Product::finishInScratch(const Tile &tile, ArrayRef<Value> accumulators) {
  auto column = [&](int p) { return b.idx(p * kPanelWidth); };
  for (int r = 0; r < tile.rows; ++r)
    for (int p = 0; p < tile.panels; ++p)
      b.store(accumulators[r * tile.panels + p], tileScratch,
              {b.idx(r), column(p)});
  b.forRange(b.idx(tile.rows), [&](Value r) {
    for (int p = 0; p < tile.panels; ++p)
      finish(b.load(tileScratch, {r, column(p)}), b.add(tile.row, r),
             b.add(tile.panel, p), p + 1 == tile.panels ? tile.mask : Value());
  });
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void Product::emitGroup(const RowBlock &block, Value panel, int panels,
                        Value mask) {
  block.tiles->emit(b, [&](Value row, int height) {
    Value inputRow = b.add(block.inputRow, b.sub(row, block.first));
    Tile tile{row, inputRow, panel, height, panels, mask};
    SmallVector<Value> accumulators = multiply(block, tile);
    if (tileScratch)
      finishInScratch(tile, accumulators);
    else
      finishInRegisters(tile, accumulators);
  });
}

void Product::emit(const RowBlock &block, Value first, Value last) {
  int64_t full = n / groupWidth(), panels = b.target.linear.panels;
  b.forRange(first, b.min(last, b.idx(full)), b.idx(1), [&](Value group) {
    emitGroup(block, b.mul(group, panels), panels, {});
  });
  int64_t rest = n - full * groupWidth();
  if (rest == 0)
    return;
  Value mine = arith::AndIOp::create(b, b.less(b.idx(full), last),
                                     b.less(first, b.idx(full + 1)));
  b.ifThen(mine, [&] {
    int64_t lanes = rest % kPanelWidth;
    emitGroup(block, b.idx(full * panels),
              (rest + kPanelWidth - 1) / kPanelWidth,
              lanes ? b.laneMask(b.idx(lanes)) : Value());
  });
}

/// Rows of the largest block: its input fits L2 beside the panels being
/// multiplied and those fetched for the next group.
static int64_t largestBlock(LinearOp op, const TargetSpec &target) {
  int64_t k = cast<RankedTensorType>(op.getInput().getType()).getShape().back();
  int64_t row = k * int64_t(sizeof(float)), height = target.linear.rows;
  int64_t panels = 2 * target.linear.panels * kPanelWidth * row;
  int64_t rows = (target.l2Bytes - panels) * 7 / 8 / row;
  return std::max(rows / height, int64_t(4)) * height;
}

static bool needsTileScratch(LinearOp op, const TargetSpec &target) {
  return !target.longEpilogueInAccumulators &&
         llvm::any_of(op.getEpilogues(), isLong);
}

static int64_t tileScratchBytes(LinearOp op, const TargetSpec &target) {
  return needsTileScratch(op, target)
             ? target.linear.rows * target.linear.panels * kPanelWidth *
                   int64_t(sizeof(float))
             : 0;
}

/// The number of row blocks: enough to fit L2, and to give every slot about
/// four tasks where a block has few groups.
static Value blockCount(TileBuilder &b, LinearOp op, Value rows,
                        int64_t groups) {
  Value forCache = b.ceilDiv(rows, largestBlock(op, b.target));
  Value forSlots = b.ceilDiv(b.mul(b.slots(), 4), std::max<int64_t>(groups, 1));
  Value most = b.ceilDiv(rows, b.target.linear.rows);
  return b.max(b.max(forCache, b.min(forSlots, most)), b.idx(1));
}

//===----------------------------------------------------------------------===//
// The prologue
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

/// Writes the normed rows of a block to this slot's scratch.
static LogicalResult emitPrologue(TileBuilder &b, LinearOp op,
                                  RowBlock &block) {
  FailureOr<NormRow> norm = readPrologue(b, op);
  if (failed(norm))
    return failure();
  auto type =
      MemRefType::get({ShapedType::kDynamic, norm->width}, b.getF32Type());
  Value offset = b.idx(tileScratchBytes(op, b.target));
  Value rows = b.scratch(offset, type, block.count);
  b.forRange(block.count, [&](Value row) {
    emitNormRow(b, *norm, block.input, b.add(block.first, row), rows, row);
  });
  block.input = rows;
  block.inputRow = b.idx(0);
  return success();
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

static Value linearScratch(TileBuilder &b, Operation *operation) {
  auto op = cast<LinearOp>(operation);
  Value bytes = b.idx(tileScratchBytes(op, b.target));
  if (op.getPrologue().empty())
    return bytes;
  Value input = b.asRows(b.memory(op.getInput()));
  Value rows = b.min(b.dim(input, 0), b.idx(largestBlock(op, b.target)));
  return b.add(bytes, b.mul(b.mul(rows, b.dim(input, 1)), sizeof(float)));
}

static LogicalResult emitLinear(TileBuilder &b, Operation *operation) {
  auto op = cast<LinearOp>(operation);
  MatrixTile tile = b.target.linear;
  Value tileScratch;
  if (needsTileScratch(op, b.target))
    tileScratch = b.scratch(
        b.idx(0), MemRefType::get({tile.rows, tile.panels * kPanelWidth},
                                  b.getF32Type()));
  SmallVector<Product> products;
  int64_t groups = 0;
  for (unsigned i = 0; i < op.getWeights().size(); ++i) {
    products.emplace_back(b, op, i, tileScratch);
    groups += products.back().groups();
  }

  Value input = b.asRows(b.memory(op.getInput()));
  Value rows = b.dim(input, 0);
  Value blocks = blockCount(b, op, rows, groups);
  auto [first, last] = b.share(b.mul(blocks, groups));
  bool failedOnce = false;
  b.forRange(
      b.div(first, groups), b.ceilDiv(last, groups), b.idx(1), [&](Value i) {
        Value start = b.div(b.mul(rows, i), blocks);
        Value count = b.sub(b.div(b.mul(rows, b.add(i, 1)), blocks), start);
        RowTiles tiles(b, start, count, tile.rows);
        RowBlock block{start, count, input, start, &tiles};
        if (!op.getPrologue().empty())
          failedOnce |= failed(emitPrologue(b, op, block));
        int64_t base = 0; // of this weight's groups among those of the block
        for (Product &product : products) {
          // The slot's run of tasks, seen from this weight: below 0 counts as
          // 0.
          Value origin = b.add(b.mul(i, groups), base);
          Value end = b.idx(product.groups());
          product.emit(block, b.sub(b.max(first, origin), origin),
                       b.min(b.sub(b.max(last, origin), origin), end));
          failedOnce |= product.failed;
          base += product.groups();
        }
      });
  return failure(failedOnce);
}

const KernelEmitter attn::cpu::linearEmitter = {.match = matchOp<LinearOp>,
                                                .scratchBytes = linearScratch,
                                                .emit = emitLinear};
