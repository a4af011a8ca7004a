// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Searches a row of a capture for its least and its largest element: 16 at a
// time where they are neighbours in memory.

#include "codegen/cpu/tiles/CaptureRange.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static Value toIndex(TileBuilder &b, Value element) {
  Type type = element.getType();
  if (type.isIndex())
    return element;
  if (type.isInteger(1))
    return arith::IndexCastUIOp::create(b, b.getIndexType(), element);
  return arith::IndexCastOp::create(b, b.getIndexType(), element);
}

namespace {
/// The elements of a range that exist: `count` from `first` on.
struct Elements {
  const CaptureRange &range;
  Value first, count;

  SmallVector<Value> at(TileBuilder &b, Value offset) const {
    SmallVector<Value> indices = range.indices;
    indices[*range.dimension] = b.add(first, offset);
    return indices;
  }
};
} // namespace

static CaptureExtremes searchScalars(TileBuilder &b, const Elements &elements,
                                     Value initial) {
  SmallVector<Value> found =
      b.forRange(b.idx(0), elements.count, b.idx(1), {initial, initial},
                 [&](Value offset, ValueRange so_far) -> SmallVector<Value> {
                   Value x = toIndex(b, b.loadScalar(elements.range.buffer,
                                                     elements.at(b, offset)));
                   return {arith::MinSIOp::create(b, so_far[0], x),
                           arith::MaxSIOp::create(b, so_far[1], x)};
                 });
  return {found[0], found[1], {}};
}

static CaptureExtremes searchLanes(TileBuilder &b, const Elements &elements,
                                   Value initial) {
  Value neutral = b.splat(initial);
  SmallVector<Value> found = b.forLanes(
      elements.count, {neutral, neutral},
      [&](Value offset, Value mask, ValueRange so_far) -> SmallVector<Value> {
        Value x = b.load(elements.range.buffer, elements.at(b, offset), mask);
        if (mask)
          x = arith::SelectOp::create(b, mask, x, neutral);
        return {arith::MinSIOp::create(b, so_far[0], x),
                arith::MaxSIOp::create(b, so_far[1], x)};
      });
  auto reduce = [&](vector::CombiningKind kind, Value vector) {
    return toIndex(b, vector::ReductionOp::create(b, kind, vector));
  };
  return {reduce(vector::CombiningKind::MINSI, found[0]),
          reduce(vector::CombiningKind::MAXSI, found[1]),
          {}};
}

CaptureExtremes attn::cpu::captureExtremes(TileBuilder &b,
                                           const CaptureRange &range) {
  if (!range.dimension) {
    Value x = toIndex(b, b.loadScalar(range.buffer, range.indices));
    return {x, x, {}};
  }
  auto type = cast<MemRefType>(range.buffer.getType());
  Value size = b.dim(range.buffer, *range.dimension);
  // The range is signed; what exists of it starts at 0 or above.
  Value end = b.createOrFold<arith::MinSIOp>(b.add(range.high, 1), size);
  Value first = b.createOrFold<arith::MaxSIOp>(range.low, b.idx(0));
  Value nonempty =
      b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, first, end);
  Value count =
      b.createOrFold<arith::SelectOp>(nonempty, b.sub(end, first), b.idx(0));
  // An element to start from: the first, or any that exists.
  Value start = b.createOrFold<arith::SelectOp>(nonempty, first, b.idx(0));
  Elements elements{range, start, count};
  Value initial = b.loadScalar(range.buffer, elements.at(b, b.idx(0)));
  bool onLanes = int64_t(*range.dimension) + 1 == type.getRank() &&
                 type.getLayout().isIdentity() &&
                 !type.getElementType().isInteger(1);
  CaptureExtremes found = onLanes
                              ? searchLanes(b, elements, initial)
                              : searchScalars(b, elements, toIndex(b, initial));
  found.nonempty = nonempty;
  return found;
}
