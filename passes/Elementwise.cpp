// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise linalg.generic ops.

#include "passes/Elementwise.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

/// True where the map's results are distinct dimensions and constants.
static bool readsOneElement(AffineMap map) {
  llvm::SmallBitVector seen(map.getNumDims());
  for (AffineExpr result : map.getResults()) {
    if (isa<AffineConstantExpr>(result))
      continue;
    auto dim = dyn_cast<AffineDimExpr>(result);
    if (!dim || seen.test(dim.getPosition()))
      return false;
    seen.set(dim.getPosition());
  }
  return true;
}

bool attn::isElementwise(linalg::GenericOp op) {
  if (op->getNumResults() != 1 || op.getNumReductionLoops() != 0)
    return false;
  OpOperand *output = op.getDpsInitOperand(0);
  if (!op.getMatchingIndexingMap(output).isPermutation() ||
      op.payloadUsesValueFromOperand(output))
    return false;
  return llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    return readsOneElement(op.getMatchingIndexingMap(input));
  });
}

linalg::GenericOp attn::getElementwise(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  return op && isElementwise(op) ? op : nullptr;
}

AffineMap attn::getReadMap(linalg::GenericOp op, OpOperand *input) {
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  return op.getMatchingIndexingMap(input).compose(inversePermutation(output));
}

bool attn::usesIndices(linalg::GenericOp op) { return op.hasIndexSemantics(); }

static bool isConstant(Value value) {
  return matchPattern(value, m_Constant());
}

Value attn::findOutsideValue(Block &body) {
  for (Operation &op : body)
    for (Value operand : op.getOperands())
      if (operand.getParentBlock() != &body && !isConstant(operand))
        return operand;
  return {};
}

void attn::cloneScalars(OpBuilder &builder, Block &body, IRMapping &mapping) {
  for (Operation &op : body) {
    for (Value operand : op.getOperands())
      if (operand.getParentBlock() != &body && !mapping.contains(operand))
        builder.clone(*operand.getDefiningOp(), mapping);
    if (!op.hasTrait<OpTrait::IsTerminator>())
      builder.clone(op, mapping);
  }
}
