// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops over the elements of tensors.

#include "codegen/cpu/tiles/ElementLoops.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

Value attn::cpu::flatten(TileBuilder &b, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getRank() == 1)
    return buffer;
  if (type.getRank() == 0)
    return memref::ExpandShapeOp::create(
        b, MemRefType::get({1}, type.getElementType()), buffer,
        ArrayRef<ReassociationIndices>{});
  ReassociationIndices all =
      llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  return memref::CollapseShapeOp::create(b, buffer,
                                         ArrayRef<ReassociationIndices>{all});
}

FailureOr<Access> attn::cpu::accessThrough(TileBuilder &b, Value buffer,
                                           AffineMap map,
                                           ArrayRef<int64_t> offsets,
                                           ArrayRef<bool> whole) {
  Access access{flatten(b, buffer), b.idx(0), {}};
  access.steps.resize(map.getNumDims(), {Value(), false, true});
  SmallVector<int64_t> axisOf(map.getNumDims(), -1);
  Value stride = b.idx(1);
  for (int64_t axis = int64_t(map.getNumResults()) - 1; axis >= 0; --axis) {
    int64_t offset = offsets.empty() ? 0 : offsets[axis];
    AffineExpr expr = map.getResult(axis);
    if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
      offset += constant.getValue();
    } else {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (!loop || axisOf[loop.getPosition()] >= 0)
        return failure();
      axisOf[loop.getPosition()] = axis;
      Access::Step &step = access.steps[loop.getPosition()];
      step.stride = stride;
      step.isUnit = axis + 1 == int64_t(map.getNumResults());
    }
    access.start = b.add(access.start, b.mul(stride, offset));
    stride = b.mul(stride, b.dim(buffer, axis));
  }
  for (unsigned loop = 1; loop < map.getNumDims(); ++loop) {
    int64_t before = axisOf[loop - 1], axis = axisOf[loop];
    bool unused = before < 0 && axis < 0;
    bool adjacent =
        before >= 0 && axis == before + 1 && (whole.empty() || whole[axis]);
    access.steps[loop].joinsBefore = unused || adjacent;
  }
  return access;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

namespace {

/// Elements of a piece of a long inner loop: whole vectors.
constexpr int64_t kPiece = 64 * kPanelWidth;

class Emitter {
public:
  Emitter(TileBuilder &b, const ElementLoops &loops, ElementLoops::Body body);
  LogicalResult emit();

private:
  void join();
  bool runsOnLanes() const;
  void cutIntoPieces();
  void emitOuter();
  void emitInner();
  void emitElements(Value from, Value mask);
  SmallVector<Value> reduce(ArrayRef<unsigned> remaining, Value mask,
                            ValueRange accumulators);
  SmallVector<Value> callBody(Value mask, ValueRange accumulators);
  Value positionOf(const Access &access) const;
  Value read(const Access &access, Value mask);
  void write(Value value, const Access &access, Value mask);

  TileBuilder &b;
  ElementLoops loops;
  ElementLoops::Body body;
  SmallVector<unsigned> outer, reductions;
  std::optional<unsigned> inner; ///< the loop over lanes
  SmallVector<Value> at;         ///< where each loop stands; of `inner`, lane 0
  bool hasPieces = false;
  bool failedOnce = false;
};

} // namespace

Emitter::Emitter(TileBuilder &b, const ElementLoops &nest,
                 ElementLoops::Body body)
    : b(b), loops(nest), body(body) {
  if (!loops.usesPositions)
    join();
  at.resize(loops.sizes.size());
  for (unsigned loop = 0; loop < loops.sizes.size(); ++loop)
    (loops.reduces[loop] ? reductions : outer).push_back(loop);
  if (runsOnLanes()) {
    inner = outer.pop_back_val();
    cutIntoPieces();
  }
}

static bool joinsEverywhere(ArrayRef<Access> accesses, unsigned loop) {
  return llvm::all_of(accesses, [&](const Access &access) {
    return access.steps[loop].joinsBefore;
  });
}

/// Neighbouring loops that every tensor walks as one become one.
void Emitter::join() {
  for (unsigned loop = loops.sizes.size(); loop-- > 1;) {
    if (loops.reduces[loop] != loops.reduces[loop - 1] ||
        !joinsEverywhere(loops.inputs, loop) ||
        !joinsEverywhere(loops.outputs, loop))
      continue;
    loops.sizes[loop] = b.mul(loops.sizes[loop - 1], loops.sizes[loop]);
    loops.sizes.erase(loops.sizes.begin() + loop - 1);
    loops.reduces.erase(loops.reduces.begin() + loop - 1);
    for (SmallVector<Access> *accesses : {&loops.inputs, &loops.outputs})
      for (Access &access : *accesses) {
        access.steps[loop].joinsBefore = access.steps[loop - 1].joinsBefore;
        access.steps.erase(access.steps.begin() + loop - 1);
      }
  }
}

/// i1 is a byte in memory and a bit in a vector.
static bool isByte(const Access &access) {
  return cast<MemRefType>(access.buffer.getType()).getElementTypeBitWidth() < 8;
}

bool Emitter::runsOnLanes() const {
  if (outer.empty() || llvm::any_of(loops.inputs, isByte) ||
      llvm::any_of(loops.outputs, isByte) ||
      getConstantIntValue(OpFoldResult(loops.sizes[outer.back()])) == 1)
    return false;
  return llvm::all_of(loops.outputs, [&](const Access &output) {
    return output.steps[outer.back()].isUnit;
  });
}

LogicalResult Emitter::emit() {
  if (outer.empty())
    b.ifThen(b.equal(b.slot(), b.idx(0)), [&] { emitInner(); });
  else
    emitOuter();
  return failure(failedOnce);
}

/// A long inner loop is cut into pieces, so that slots have work where the
/// outer loops are short: one picture, one sentence. A loop over the pieces,
/// numbered after all others, becomes the last of the outer loops.
void Emitter::cutIntoPieces() {
  Value size = loops.sizes[*inner];
  std::optional<int64_t> known = getConstantIntValue(OpFoldResult(size));
  if (known && *known <= kPiece)
    return;
  outer.push_back(loops.sizes.size());
  loops.sizes.push_back(b.ceilDiv(size, kPiece));
  at.push_back({});
  hasPieces = true;
}

/// The flat range of the outer loops is shared. It is walked row by row of the
/// last outer loop, so that only rows cost divisions.
void Emitter::emitOuter() {
  Value total = b.idx(1);
  for (unsigned loop : outer)
    total = b.mul(total, loops.sizes[loop]);
  auto [first, last] = b.share(total);
  auto emitRow = [&](Value from, Value to) {
    b.forRange(from, to, b.idx(1), [&](Value i) {
      at[outer.back()] = i;
      emitInner();
    });
  };
  if (outer.size() == 1)
    return emitRow(first, last);
  // Sizes may be 0; divisors may not.
  Value width = b.max(loops.sizes[outer.back()], b.idx(1));
  b.forRange(b.div(first, width), b.ceilDiv(last, width), b.idx(1),
             [&, first = first, last = last](Value row) {
               Value rest = row;
               for (unsigned loop :
                    llvm::reverse(ArrayRef(outer).drop_back())) {
                 at[loop] = b.rem(rest, loops.sizes[loop]);
                 rest = b.div(rest, loops.sizes[loop]);
               }
               Value begin = b.mul(row, width);
               emitRow(b.sub(b.max(first, begin), begin),
                       b.sub(b.min(last, b.add(begin, width)), begin));
             });
}

void Emitter::emitInner() {
  if (!inner)
    return emitElements({}, {});
  Value begin = b.idx(0), count = loops.sizes[*inner];
  if (hasPieces) {
    begin = b.mul(at.back(), kPiece);
    count = b.min(b.sub(count, begin), b.idx(kPiece));
  }
  b.forLanes(count, [&](Value from, Value mask) {
    emitElements(b.add(begin, from), mask);
  });
}

/// One element of each output, or 16 from `from` on.
void Emitter::emitElements(Value from, Value mask) {
  if (inner)
    at[*inner] = from;
  SmallVector<Value> accumulators;
  for (Value initial : loops.initial)
    accumulators.push_back(inner ? b.splat(initial) : initial);
  SmallVector<Value> results = reduce(reductions, mask, accumulators);
  if (failedOnce)
    return;
  for (auto [result, output] : llvm::zip_equal(results, loops.outputs))
    write(result, output, mask);
}

SmallVector<Value> Emitter::reduce(ArrayRef<unsigned> remaining, Value mask,
                                   ValueRange accumulators) {
  if (remaining.empty())
    return callBody(mask, accumulators);
  return b.forRange(b.idx(0), loops.sizes[remaining.front()], b.idx(1),
                    accumulators, [&](Value i, ValueRange carried) {
                      at[remaining.front()] = i;
                      return reduce(remaining.drop_front(), mask, carried);
                    });
}

SmallVector<Value> Emitter::callBody(Value mask, ValueRange accumulators) {
  SmallVector<Value> elements;
  for (const Access &input : loops.inputs)
    elements.push_back(read(input, mask));
  auto position = [&](unsigned loop) {
    return inner == loop ? b.laneIndices(at[loop]) : at[loop];
  };
  FailureOr<SmallVector<Value>> results =
      body(elements, accumulators, position, mask);
  failedOnce |= failed(results);
  if (failed(results)) // keep the loops well formed until the error is seen
    return SmallVector<Value>(accumulators);
  if (inner)
    for (Value &result : *results)
      result = b.splat(result);
  return *results;
}

/// The element at which all loops stand.
Value Emitter::positionOf(const Access &access) const {
  Value position = access.start;
  for (auto [step, index] : llvm::zip(access.steps, at))
    if (step.stride)
      position = b.add(position, b.mul(index, step.stride));
  return position;
}

Value Emitter::read(const Access &access, Value mask) {
  Value position = positionOf(access);
  if (!inner || !access.steps[*inner].stride)
    return b.loadScalar(access.buffer, position);
  if (access.steps[*inner].isUnit)
    return b.load(access.buffer, position, mask);
  Value stride = b.splat(access.steps[*inner].stride);
  Value lanes = arith::MulIOp::create(b, b.laneIndices(b.idx(0)), stride);
  Value indices = arith::AddIOp::create(b, lanes, b.splat(position));
  return b.gather(access.buffer, indices, mask);
}

void Emitter::write(Value value, const Access &access, Value mask) {
  Value position = positionOf(access);
  if (inner)
    b.store(value, access.buffer, position, mask);
  else
    memref::StoreOp::create(b, value, access.buffer, position);
}

LogicalResult ElementLoops::emit(TileBuilder &b, Body body) {
  return Emitter(b, *this, body).emit();
}
