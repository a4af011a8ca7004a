// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every parameter its place in the data of the weights file.

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Passes.h"
#include "passes/plan/ParameterStorage.h"

#include "llvm/Support/MathExtras.h"

namespace attn {
#define GEN_PASS_DEF_PLACEPARAMETERS
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

Type attn::storedType(ParameterOp parameter) {
  Type stored;
  for (Operation &op : parameter.getBody().front()) {
    if (auto weight = dyn_cast<WeightOp>(op)) {
      if (!weight.getStored() || (stored && stored != *weight.getStored()))
        return {};
      stored = *weight.getStored();
    } else if (!isa<tensor::EmptyOp, tensor::ExpandShapeOp,
                    tensor::CollapseShapeOp, tensor::ExtractSliceOp,
                    tensor::ConcatOp, linalg::TransposeOp, YieldOp>(op)) {
      return {};
    }
  }
  return stored;
}

FailureOr<int64_t> attn::storageBytes(ParameterOp parameter) {
  auto type = cast<RankedTensorType>(parameter.getType());
  if (!type.getElementType().isIntOrFloat())
    return parameter.emitError("expects a tensor of numbers, but got ") << type;
  SmallVector<int64_t> shape(type.getShape());
  unsigned bits = type.getElementTypeBitWidth();
  if (auto panels = dyn_cast_or_null<PanelsAttr>(parameter.getLayoutAttr())) {
    if (shape.size() != 2 || panels.getWidth() < 1)
      return parameter.emitError(
          "expects a matrix and a positive width for a layout of panels");
    if (llvm::AddOverflow(shape[0], panels.getWidth() - 1, shape[0]))
      return parameter.emitError("has more bytes than 64 bits count");
    shape[0] -= shape[0] % panels.getWidth();
    if (panels.getStored())
      bits = panels.getStored().getIntOrFloatBitWidth();
  } else if (parameter.getLayoutAttr()) {
    return parameter.emitError("has a layout that is not known");
  }
  int64_t bytes = (bits + 7) / 8;
  for (int64_t size : shape)
    if (llvm::MulOverflow(bytes, size, bytes))
      return parameter.emitError("has more bytes than 64 bits count");
  return bytes;
}

namespace {

struct PlaceParameters : attn::impl::PlaceParametersBase<PlaceParameters> {
  void runOnOperation() override {
    Builder builder(&getContext());
    int64_t offset = 0;
    for (auto parameter : getOperation().getOps<ParameterOp>()) {
      FailureOr<int64_t> bytes = storageBytes(parameter);
      if (failed(bytes))
        return signalPassFailure();
      parameter->setAttr(kOffsetAttr, builder.getI64IntegerAttr(offset));
      if (llvm::AddOverflow(offset, *bytes, offset) ||
          llvm::AddOverflow(offset, kParameterAlignment - 1, offset)) {
        parameter.emitError("lies beyond 64 bits of weights");
        return signalPassFailure();
      }
      offset -= offset % kParameterAlignment;
    }
    getOperation()->setAttr(kWeightsBytesAttr,
                            builder.getI64IntegerAttr(offset));
  }
};

} // namespace
