// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers, builders and folds of the attn operations.

#include "dialect/AttnOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

#define GET_OP_CLASSES
#include "dialect/AttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// LinearOp
//===----------------------------------------------------------------------===//

void LinearOp::build(OpBuilder &builder, OperationState &state, Value input,
                     Value weight, Value bias) {
  auto inputType = cast<RankedTensorType>(input.getType());
  auto weightType = cast<RankedTensorType>(weight.getType());
  SmallVector<int64_t> shape(inputType.getShape());
  shape.back() = weightType.getDimSize(0);
  auto resultType = inputType.clone(shape);

  SmallVector<Value> captures;
  ArrayAttr maps;
  if (bias) {
    captures.push_back(bias);
    AffineMap map = AffineMap::get(
        shape.size(), 0, builder.getAffineDimExpr(shape.size() - 1));
    maps = builder.getAffineMapArrayAttr(map);
  }
  build(builder, state, TypeRange{resultType}, input, ValueRange{weight},
        captures, ValueRange{}, maps, /*epiloguesCount=*/bias ? 1 : 0);
  if (!bias)
    return;

  OpBuilder::InsertionGuard guard(builder);
  Type element = inputType.getElementType();
  Block *block = builder.createBlock(state.regions.back().get(), {},
                                     {element, element},
                                     {state.location, state.location});
  Value sum = arith::AddFOp::create(builder, state.location,
                                    block->getArgument(0),
                                    block->getArgument(1));
  YieldOp::create(builder, state.location, sum);
}

LogicalResult LinearOp::verify() { return success(); }
LogicalResult LinearOp::verifyRegions() { return success(); }
LogicalResult WeightOp::verify() { return success(); }
LogicalResult ParameterOp::verifyRegions() { return success(); }
LogicalResult MatmulOp::verify() { return success(); }
LogicalResult LayerNormOp::verify() { return success(); }
LogicalResult RmsNormOp::verify() { return success(); }
LogicalResult SoftmaxOp::verify() { return success(); }
LogicalResult EmbeddingOp::verify() { return success(); }
LogicalResult AttentionOp::verify() { return success(); }
LogicalResult AttentionOp::verifyRegions() { return success(); }
LogicalResult DotOp::verify() { return success(); }
LogicalResult SumOp::verify() { return success(); }
LogicalResult GetParameterOp::verifySymbolUses(SymbolTableCollection &) {
  return success();
}
LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &) {
  return success();
}
