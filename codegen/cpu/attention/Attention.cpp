// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.attention with softmax: scores live in slot scratch, a block of query
// rows at a time, never in memory as a whole.
//
// A task is one block of rows of one head. For each head it meets, a slot packs
// the keys as transposed panels; values stay in place. Keys come in chunks of
// kChunk from key 0 on, with an online softmax between chunks (Milakov and
// Gimelshein 2018) in base 2. The reference of a row is its maximum rounded up
// to an integer, so that factors between chunks are exact powers of two.

#include "codegen/cpu/attention/AttentionForm.h"
#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/tiles/RowTiles.h"
#include "codegen/cpu/tiles/Transpose.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// Keys whose scores a block of rows holds at a time.
static constexpr int64_t kChunk = 1024;
/// Floats between rows of scores beyond a chunk, against cache aliasing.
static constexpr int64_t kRowGap = 16;
static constexpr int64_t kFloat = sizeof(float);

static int64_t paddedTo16(int64_t n) {
  return (n + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
}

namespace {

/// Where things lie in a slot's scratch, in bytes.
struct ScratchLayout {
  ScratchLayout(TileBuilder &b, AttentionForm &form, Value keys)
      : rows(b.target.attentionRows), queryWidth(paddedTo16(form.headWidth)),
        valueWidth(paddedTo16(form.valueWidth)) {
    output = rows * queryWidth * kFloat;
    sums = output + rows * valueWidth * kFloat;
    references = sums + rows * kPanelWidth * kFloat;
    finite = references + paddedTo16(rows) * kFloat;
    scores = finite + kPanelWidth * kFloat;
    panels = b.ceilDiv(keys, kPanelWidth);
    scoreWidth =
        b.add(b.min(b.mul(panels, kPanelWidth), b.idx(kChunk)), kRowGap);
    keyPanels = b.add(b.mul(scoreWidth, rows * kFloat), scores);
    bytes =
        b.add(keyPanels, b.mul(panels, form.headWidth * kPanelWidth * kFloat));
  }
  int64_t rows, queryWidth, valueWidth;
  int64_t output, sums, references, finite, scores;
  Value panels, scoreWidth, keyPanels, bytes;
};

/// What identifies the block of rows being computed.
struct RowsOfHead {
  Value batch, head, keyHead;
  Value first, count;
};

/// A chunk of keys.
struct Chunk {
  Value first, count;
};

class AttentionKernel {
public:
  AttentionKernel(TileBuilder &b, AttentionForm &form);
  LogicalResult emit();

private:
  void allocate();
  void packKeys(Value batch, Value keyHead);
  void packPanel(Value batch, Value keyHead, Value panel);
  void checkValues(Value batch, Value keyHead);
  void emitRows(const RowsOfHead &rows);
  void loadQueries(const RowsOfHead &rows);
  void emitScores(const RowTiles &tiles, const Chunk &chunk);
  void emitScoreTile(Value panel, Value column, Value row, int height,
                     int panels);
  void softmaxRow(const RowsOfHead &rows, const Chunk &chunk, Value row);
  Value maximum(const RowsOfHead &rows, const Chunk &chunk, Value row);
  Value score(const RowsOfHead &rows, const Chunk &chunk, Value row,
              Value column, Value mask, Value dot);
  void rescale(Value row, Value reference);
  void exponentials(const Chunk &chunk, Value row, Value reference);
  void emitValues(const RowsOfHead &rows, const RowTiles &tiles,
                  const Chunk &chunk);
  void emitValueTile(const RowsOfHead &rows, const Chunk &chunk, Value row,
                     int height, Value column, int panels, Value mask,
                     bool skipZeroWeights);
  void forValuePanels(llvm::function_ref<void(Value, int, Value)> body,
                      int panels);
  void finish(const RowsOfHead &rows);
  Value inlined(Region &region, ArrayRef<Value> arguments, Value mask,
                Value dot);

  TileBuilder &b;
  AttentionForm &form;
  Value m, n;
  ScratchLayout layout;
  Value queries, outputs, sums, references, finite, scores, keyPanels;
  bool failedOnce = false;
};

} // namespace

AttentionKernel::AttentionKernel(TileBuilder &b, AttentionForm &form)
    : b(b), form(form), m(b.dim(form.query, 2)), n(b.dim(form.key, 2)),
      layout(b, form, n) {}

void AttentionKernel::allocate() {
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

//===----------------------------------------------------------------------===//
// Once for each head
//===----------------------------------------------------------------------===//

/// 16 keys as a panel [D][16]. Keys beyond the last repeat it: their scores are
/// masked later.
void AttentionKernel::packPanel(Value batch, Value keyHead, Value panel) {
  Value first = b.mul(panel, kPanelWidth), lastKey = b.sub(n, b.idx(1));
  SmallVector<Value> keys;
  for (int64_t i = 0; i < kPanelWidth; ++i)
    keys.push_back(b.min(b.add(first, i), lastKey));
  auto block = [&](Value column, int64_t width) {
    Value mask = width < kPanelWidth ? b.laneMask(b.idx(width)) : Value();
    SmallVector<Value> rows;
    for (Value key : keys)
      rows.push_back(b.load(form.key, {batch, keyHead, key, column}, mask));
    transpose16(b, rows);
    for (int64_t i = 0; i < width; ++i)
      b.store(rows[i], keyPanels, {panel, b.add(column, i), b.idx(0)});
  };
  int64_t full = form.headWidth / kPanelWidth * kPanelWidth;
  b.forRange(b.idx(0), b.idx(full), b.idx(kPanelWidth),
             [&](Value column) { block(column, kPanelWidth); });
  if (full < form.headWidth)
    block(b.idx(full), form.headWidth - full);
}

/// Notes whether all values of a head are finite: only then a weight of 0
/// silences a masked key by itself.
void AttentionKernel::checkValues(Value batch, Value keyHead) {
  Value zero = b.splat(0.0);
  SmallVector<Value> sum = b.forRange(
      b.idx(0), n, b.idx(1), {zero},
      [&](Value key, ValueRange outer) -> SmallVector<Value> {
        return b.forLanes(
            b.idx(form.valueWidth), outer,
            [&](Value column, Value mask,
                ValueRange inner) -> SmallVector<Value> {
              Value v = b.load(form.value, {batch, keyHead, key, column}, mask);
              return {b.fma(v, zero, inner.front())};
            });
      });
  memref::StoreOp::create(b, b.reduce(sum.front(), Reduction::Sum), finite,
                          ValueRange{b.idx(0)});
}

void AttentionKernel::packKeys(Value batch, Value keyHead) {
  b.forRange(layout.panels,
             [&](Value panel) { packPanel(batch, keyHead, panel); });
  if (form.keep)
    checkValues(batch, keyHead);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

void AttentionKernel::loadQueries(const RowsOfHead &rows) {
  Value factor = b.splat(form.queryFactor());
  b.forRange(rows.count, [&](Value row) {
    Value from = b.add(rows.first, row);
    b.forLanes(b.idx(form.headWidth), [&](Value column, Value mask) {
      Value q = b.load(form.query, {rows.batch, rows.head, from, column}, mask);
      b.store(arith::MulFOp::create(b, q, factor), queries, {row, column});
    });
    b.forRange(b.idx(0), b.idx(layout.valueWidth), b.idx(kPanelWidth),
               [&](Value c) { b.store(b.splat(0.0), outputs, {row, c}); });
    b.store(b.splat(0.0), sums, {row, b.idx(0)});
    Value none = b.f32(-std::numeric_limits<double>::infinity());
    memref::StoreOp::create(b, none, references, row);
  });
}

void AttentionKernel::emitScoreTile(Value panel, Value column, Value row,
                                    int height, int panels) {
  SmallVector<Value> zeros(height * panels, b.splat(0.0));
  SmallVector<Value> dots = multiplyTile(
      b, height, panels, b.idx(form.headWidth), zeros,
      [&](int r, Value k) { return b.loadScalar(queries, {b.add(row, r), k}); },
      [&](int p, Value k) {
        return b.load(keyPanels, {b.add(panel, p), k, b.idx(0)});
      });
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(dots[r * panels + p], scores,
              {b.add(row, r), b.add(column, p * kPanelWidth)});
}

/// scores[row, j] = q_row . k_j for the keys of a chunk and up to 15 more.
void AttentionKernel::emitScores(const RowTiles &tiles, const Chunk &chunk) {
  int width = b.target.attention.panels;
  Value panels = b.ceilDiv(chunk.count, kPanelWidth);
  Value first = b.div(chunk.first, kPanelWidth);
  auto column = [&](Value panel, int count) {
    tiles.emit(b, [&](Value row, int height) {
      emitScoreTile(b.add(first, panel), b.mul(panel, kPanelWidth), row, height,
                    count);
    });
  };
  Value whole = b.mul(b.div(panels, width), width);
  b.forRange(b.idx(0), whole, b.idx(width),
             [&](Value panel) { column(panel, width); });
  if (width > 1)
    b.forRange(whole, panels, b.idx(1), [&](Value panel) { column(panel, 1); });
}

Value AttentionKernel::inlined(Region &region, ArrayRef<Value> arguments,
                               Value mask, Value dot) {
  FailureOr<SmallVector<Value>> yielded = inlineLanes(
      b, region, arguments, mask, [&](Operation &op, IRMapping &) -> Value {
        return isa<DotOp>(op) ? dot : Value();
      });
  failedOnce |= failed(yielded);
  return failed(yielded) ? Value() : b.splat(yielded->front());
}

/// The score in base 2, -infinity where it is masked.
Value AttentionKernel::score(const RowsOfHead &rows, const Chunk &chunk,
                             Value row, Value column, Value mask, Value dot) {
  Value none = b.splat(-std::numeric_limits<double>::infinity());
  SmallVector<Value> arguments = {{},
                                  {},
                                  rows.batch,
                                  rows.head,
                                  b.add(rows.first, row),
                                  b.laneIndices(b.add(chunk.first, column)),
                                  m,
                                  n};
  llvm::append_range(arguments, form.captures);
  if (!form.scale) {
    Value natural = inlined(form.op.getScore(), arguments, mask, dot);
    if (!natural)
      return dot;
    // A finite fill stays finite, so that rows of nothing else stay uniform.
    Value lowest = b.splat(-std::numeric_limits<float>::max());
    Value scaled = arith::MulFOp::create(b, natural, b.splat(kLog2E));
    Value lower =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, lowest, scaled);
    scaled = arith::SelectOp::create(b, lower, lowest, scaled);
    Value isNone =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, natural, none);
    dot = arith::SelectOp::create(b, isNone, none, scaled);
  }
  if (form.keep)
    if (Value kept = inlined(*form.keep, arguments, mask, {}))
      dot = arith::SelectOp::create(b, kept, dot, none);
  return mask ? arith::SelectOp::create(b, mask, dot, none) : dot;
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// max(a, b), either of them where one is NaN: a NaN score shows in the sum.
static Value larger(TileBuilder &b, Value x, Value y) {
  Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(b, above, x, y);
}

/// Turns dots into scores and returns their maximum.
Value AttentionKernel::maximum(const RowsOfHead &rows, const Chunk &chunk,
                               Value row) {
  Value none = b.splat(-std::numeric_limits<double>::infinity());
  SmallVector<Value> most = b.forLanes(
      chunk.count, {none},
      [&](Value column, Value mask, ValueRange so_far) -> SmallVector<Value> {
        Value dot = b.load(scores, {row, column});
        Value s = score(rows, chunk, row, column, mask, dot);
        if (s != dot)
          b.store(s, scores, {row, column});
        return {larger(b, so_far.front(), s)};
      });
  Value vector = most.front();
  for (int64_t half = kPanelWidth / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> low = llvm::to_vector(llvm::seq<int64_t>(0, half));
    SmallVector<int64_t> high =
        llvm::to_vector(llvm::seq<int64_t>(half, 2 * half));
    vector = larger(b, vector::ShuffleOp::create(b, vector, vector, low),
                    vector::ShuffleOp::create(b, vector, vector, high));
  }
  return vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{0});
}

/// 2^x for x <= 0, exactly 0 from -127 down; relative error 2.1e-7 (minimax,
/// fitted by Remez). NaN stays NaN.
static Value exp2OfNegative(TileBuilder &b, Value x) {
  static constexpr double kCoefficients[] = {1.000000072,    0.6931469671,
                                             0.2402211971,   0.05550713243,
                                             0.009675541724, 0.001327647987};
  x = larger(b, b.splat(-127.0), x);
  // Adding 1.5 * 2^23 rounds to an integer and leaves it, biased as an
  // exponent, in the low bits.
  Value magic = b.splat(12582912.0 + 127.0);
  Value shifted = arith::AddFOp::create(b, x, magic);
  Value whole = arith::SubFOp::create(b, shifted, magic);
  Value r = arith::SubFOp::create(b, x, whole);
  Value p = b.splat(kCoefficients[5]);
  for (int i = 4; i >= 0; --i)
    p = b.fma(p, r, b.splat(kCoefficients[i]));
  VectorType integers = b.lanes(b.getI32Type());
  Value bits = arith::BitcastOp::create(b, integers, shifted);
  Value shift = arith::ConstantOp::create(
      b, DenseElementsAttr::get(integers, b.getI32IntegerAttr(23)));
  bits = arith::ShLIOp::create(b, bits, shift);
  Value power = arith::BitcastOp::create(b, b.lanes(), bits);
  return arith::MulFOp::create(b, p, power);
}

/// Brings a row's sums to a larger reference: by an exact power of two.
void AttentionKernel::rescale(Value row, Value reference) {
  Value old = b.loadScalar(references, row);
  Value grows =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ULT, old, reference);
  b.ifThen(grows, [&] {
    Value change = arith::SubFOp::create(b, old, reference);
    Value factor = b.splat(math::Exp2Op::create(b, change));
    auto scale = [&](Value buffer, Value column) {
      Value x = b.load(buffer, {row, column});
      b.store(arith::MulFOp::create(b, x, factor), buffer, {row, column});
    };
    scale(sums, b.idx(0));
    b.forRange(b.idx(0), b.idx(layout.valueWidth), b.idx(kPanelWidth),
               [&](Value column) { scale(outputs, column); });
    memref::StoreOp::create(b, reference, references, row);
  });
}

/// Scores to weights, added to the row's sum.
void AttentionKernel::exponentials(const Chunk &chunk, Value row,
                                   Value reference) {
  Value end = b.mul(b.ceilDiv(chunk.count, kPanelWidth), kPanelWidth);
  Value origin = b.splat(reference);
  SmallVector<Value> sum = b.forRange(
      b.idx(0), end, b.idx(kPanelWidth), {b.load(sums, {row, b.idx(0)})},
      [&](Value column, ValueRange so_far) -> SmallVector<Value> {
        Value s = b.load(scores, {row, column});
        Value w = exp2OfNegative(b, arith::SubFOp::create(b, s, origin));
        b.store(w, scores, {row, column});
        return {arith::AddFOp::create(b, so_far.front(), w)};
      });
  b.store(sum.front(), sums, {row, b.idx(0)});
}

void AttentionKernel::softmaxRow(const RowsOfHead &rows, const Chunk &chunk,
                                 Value row) {
  Value most = math::CeilOp::create(b, maximum(rows, chunk, row));
  rescale(row, most);
  // Where nothing is kept any finite reference gives weights of 0.
  Value reference = b.loadScalar(references, row);
  Value none = b.f32(-std::numeric_limits<double>::infinity());
  Value isNone =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, reference, none);
  exponentials(chunk, row,
               arith::SelectOp::create(b, isNone, b.f32(0.0), reference));
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// outputs[row, column] += weights[row, :] . v[:, column], keys ascending.
void AttentionKernel::emitValueTile(const RowsOfHead &rows, const Chunk &chunk,
                                    Value row, int height, Value column,
                                    int panels, Value mask,
                                    bool skipZeroWeights) {
  auto at = [&](int p) { return b.add(column, p * kPanelWidth); };
  SmallVector<Value> sums;
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      sums.push_back(b.load(outputs, {b.add(row, r), at(p)}));
  auto weight = [&](int r, Value k) {
    return b.loadScalar(scores, {b.add(row, r), k});
  };
  auto value = [&](int p, Value k) {
    Value key = b.add(chunk.first, k);
    return b.load(form.value, {rows.batch, rows.keyHead, key, at(p)},
                  p + 1 == panels ? mask : Value());
  };
  sums = multiplyTile(b, height, panels, chunk.count, sums, weight, value,
                      skipZeroWeights);
  for (int r = 0; r < height; ++r)
    for (int p = 0; p < panels; ++p)
      b.store(sums[r * panels + p], outputs, {b.add(row, r), at(p)});
}

/// body(column, panels, mask) over the width of the values.
void AttentionKernel::forValuePanels(
    llvm::function_ref<void(Value, int, Value)> body, int panels) {
  int64_t width = panels * kPanelWidth;
  int64_t full = form.valueWidth / width * width;
  b.forRange(b.idx(0), b.idx(full), b.idx(width),
             [&](Value column) { body(column, panels, {}); });
  int64_t rest = form.valueWidth - full;
  if (rest > 0)
    body(b.idx(full), (rest + kPanelWidth - 1) / kPanelWidth,
         rest % kPanelWidth ? b.laneMask(b.idx(rest % kPanelWidth)) : Value());
}

void AttentionKernel::emitValues(const RowsOfHead &rows, const RowTiles &tiles,
                                 const Chunk &chunk) {
  auto byTiles = [&] {
    forValuePanels(
        [&](Value column, int panels, Value mask) {
          tiles.emit(b, [&](Value row, int height) {
            emitValueTile(rows, chunk, row, height, column, panels, mask,
                          false);
          });
        },
        b.target.attention.panels);
  };
  if (!form.keep)
    return byTiles();
  Value check = b.loadScalar(finite, b.idx(0));
  Value allFinite =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, check, b.f32(0.0));
  b.ifThen(allFinite, byTiles);
  Value someInfinite =
      arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, check, b.f32(0.0));
  b.ifThen(someInfinite, [&] {
    forValuePanels(
        [&](Value column, int panels, Value mask) {
          b.forRange(rows.count, [&](Value row) {
            emitValueTile(rows, chunk, row, 1, column, panels, mask, true);
          });
        },
        1);
  });
}

/// Divides by the sums and writes the rows.
void AttentionKernel::finish(const RowsOfHead &rows) {
  b.forRange(rows.count, [&](Value row) {
    Value sum = b.reduce(b.load(sums, {row, b.idx(0)}), Reduction::Sum);
    Value empty =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, b.f32(0.0));
    Value inverse = arith::DivFOp::create(b, b.f32(1.0), sum);
    Value factor =
        b.splat(arith::SelectOp::create(b, empty, b.f32(0.0), inverse));
    Value to = b.add(rows.first, row);
    b.forLanes(b.idx(form.valueWidth), [&](Value column, Value mask) {
      Value x = b.load(outputs, {row, column});
      b.store(arith::MulFOp::create(b, x, factor), form.output,
              {rows.batch, rows.head, to, column}, mask);
    });
  });
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void AttentionKernel::emitRows(const RowsOfHead &rows) {
  loadQueries(rows);
  RowTiles tiles(b, b.idx(0), rows.count, b.target.attention.rows);
  b.forRange(b.idx(0), n, b.idx(kChunk), [&](Value key) {
    Chunk chunk{key, b.min(b.sub(n, key), b.idx(kChunk))};
    emitScores(tiles, chunk);
    b.forRange(rows.count, [&](Value row) { softmaxRow(rows, chunk, row); });
    emitValues(rows, tiles, chunk);
  });
  finish(rows);
}

LogicalResult AttentionKernel::emit() {
  allocate();
  Value heads = b.dim(form.query, 1);
  Value blocks = b.ceilDiv(m, b.target.attentionRows);
  Value divisor = b.max(blocks, b.idx(1)); // no rows: no tasks
  Value tasks = b.mul(b.mul(b.dim(form.query, 0), heads), blocks);
  auto [first, last] = b.share(tasks);
  Value firstHead = b.div(first, divisor);
  b.forRange(firstHead, b.ceilDiv(last, divisor), b.idx(1), [&](Value at) {
    Value head = b.rem(at, heads), batch = b.div(at, heads);
    Value keyHead = b.div(head, form.headsPerKeyHead);
    Value isNew = arith::OrIOp::create(
        b, b.equal(at, firstHead),
        b.equal(b.rem(head, form.headsPerKeyHead), b.idx(0)));
    b.ifThen(isNew, [&] { packKeys(batch, keyHead); });
    Value origin = b.mul(at, blocks);
    Value start = b.sub(b.max(first, origin), origin);
    Value end = b.min(b.sub(last, origin), blocks);
    b.forRange(start, end, b.idx(1), [&](Value block) {
      Value row = b.div(b.mul(m, block), divisor);
      Value next = b.div(b.mul(m, b.add(block, 1)), divisor);
      emitRows({batch, head, keyHead, row, b.sub(next, row)});
    });
  });
  return failure(failedOnce);
}

static Value attentionScratch(TileBuilder &b, Operation *op) {
  FailureOr<AttentionForm> form = readAttention(b, cast<AttentionOp>(op));
  if (failed(form))
    return {};
  return ScratchLayout(b, *form, b.dim(form->key, 2)).bytes;
}

static LogicalResult emitAttention(TileBuilder &b, Operation *op) {
  FailureOr<AttentionForm> form = readAttention(b, cast<AttentionOp>(op));
  if (failed(form))
    return failure();
  return AttentionKernel(b, *form).emit();
}

const KernelEmitter attn::cpu::attentionEmitter = {
    .match = matchOp<AttentionOp>,
    .scratchBytes = attentionScratch,
    .emit = emitAttention};
