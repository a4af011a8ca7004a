// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// tensor.concat and tensor.extract_slice: elements that only move.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "codegen/cpu/tiles/ElementLoops.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static LogicalResult emitCopy(TileBuilder &b, ElementLoops &loops) {
  loops.reduces.assign(loops.sizes.size(), false);
  return loops.emit(
      b, [](ArrayRef<Value> inputs, ValueRange, ElementLoops::Position, Value) {
        return FailureOr<SmallVector<Value>>(SmallVector<Value>(inputs));
      });
}

/// Each operand is copied to its place; the offset may depend on dynamic sizes.
static LogicalResult emitConcat(TileBuilder &b, Operation *operation) {
  auto op = cast<tensor::ConcatOp>(operation);
  int64_t rank = op.getRank(), axis = op.getDim();
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  Value target = b.memory(op.getResult());
  // Along the axis an operand covers a part of the result only.
  SmallVector<bool> whole(rank, true);
  whole[axis] = false;
  Value stride = b.idx(1);
  for (int64_t d = axis + 1; d < rank; ++d)
    stride = b.mul(stride, b.dim(target, d));
  Value offset = b.idx(0);
  for (Value operand : op.getInputs()) {
    Value source = b.memory(operand);
    ElementLoops loops;
    for (int64_t d = 0; d < rank; ++d)
      loops.sizes.push_back(b.dim(source, d));
    FailureOr<Access> from = accessThrough(b, source, identity);
    FailureOr<Access> to = accessThrough(b, target, identity, {}, whole);
    if (failed(from) || failed(to))
      return failure();
    to->start = b.add(to->start, b.mul(offset, stride));
    loops.inputs.push_back(*from);
    loops.outputs.push_back(*to);
    if (failed(emitCopy(b, loops)))
      return failure();
    offset = b.add(offset, b.dim(source, axis));
  }
  return success();
}

static LogicalResult emitSlice(TileBuilder &b, Operation *operation) {
  auto op = cast<tensor::ExtractSliceOp>(operation);
  if (!op.hasUnitStride() ||
      llvm::any_of(op.getStaticOffsets(), ShapedType::isDynamic))
    return op.emitError("expects static offsets and strides of 1");
  Value source = b.memory(op.getSource());
  Value target = b.memory(op.getResult());
  ArrayRef<int64_t> offsets = op.getStaticOffsets();
  ArrayRef<int64_t> sourceShape = op.getSourceType().getShape();
  llvm::SmallBitVector dropped = op.getDroppedDims();

  // One loop for each dimension of the result; dropped ones are constant.
  SmallVector<AffineExpr> exprs;
  SmallVector<bool> whole;
  ElementLoops loops;
  for (int64_t d = 0; d < op.getSourceType().getRank(); ++d) {
    bool isAll = offsets[d] == 0 && !ShapedType::isDynamic(sourceShape[d]) &&
                 op.getStaticSizes()[d] == sourceShape[d];
    whole.push_back(isAll);
    if (dropped[d]) {
      exprs.push_back(b.getAffineConstantExpr(0));
      continue;
    }
    exprs.push_back(b.getAffineDimExpr(loops.sizes.size()));
    loops.sizes.push_back(b.dim(target, loops.sizes.size()));
  }
  unsigned rank = loops.sizes.size();
  auto map = AffineMap::get(rank, 0, exprs, b.getContext());
  FailureOr<Access> from = accessThrough(b, source, map, offsets, whole);
  FailureOr<Access> to =
      accessThrough(b, target, b.getMultiDimIdentityMap(rank));
  if (failed(from) || failed(to))
    return failure();
  loops.inputs.push_back(*from);
  loops.outputs.push_back(*to);
  return emitCopy(b, loops);
}

const KernelEmitter attn::cpu::concatEmitter = {.match =
                                                    matchOp<tensor::ConcatOp>,
                                                .scratchBytes = nullptr,
                                                .emit = emitConcat};

const KernelEmitter attn::cpu::sliceEmitter = {
    .match = matchOp<tensor::ExtractSliceOp>,
    .scratchBytes = nullptr,
    .emit = emitSlice};
