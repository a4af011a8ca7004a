// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recurrences: verification, and what a loop tells about itself.

#include "dialect/AttnOps.h"
#include "dialect/Verify.h"

using namespace mlir;
using namespace attn;

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

LogicalResult ScanOp::verify() {
  if (getInputs().empty())
    return emitOpError("expects at least one input to go over");
  NamedTensor first("input", 0, getInputs().front());
  for (auto [i, value] : llvm::enumerate(getInputs())) {
    NamedTensor input("input", i, value);
    if (input.type.getRank() == 0)
      return emitOpError("expects '")
             << input.name << "' to have rank 1 or more, but got "
             << input.type;
    if (failed(expectSameSize(*this, {first, 0}, {input, 0})))
      return failure();
  }
  if (getNumResults() < getNumCarried())
    return emitOpError("expects a result for each of ")
           << getNumCarried() << " carried values, but got " << getNumResults();
  for (auto [i, initial, result] :
       llvm::enumerate(getInitials(), getOutputs().take_front(getNumCarried())))
    if (initial.getType() != result.getType())
      return emitOpError("expects carried result ")
             << i << " to have the type of its initial value, "
             << initial.getType() << ", but got " << result.getType();
  return success();
}

/// A tensor without its first dimension.
static Type stepType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape().drop_front(),
                               tensor.getElementType());
}

LogicalResult ScanOp::verifyRegions() {
  SmallVector<Type> arguments(getInitials().getTypes());
  for (Type type : getInputs().getTypes())
    arguments.push_back(stepType(type));
  int64_t steps =
      cast<RankedTensorType>(getInputs().front().getType()).getDimSize(0);
  for (Value input : getInputs())
    if (ShapedType::isDynamic(steps))
      steps = cast<RankedTensorType>(input.getType()).getDimSize(0);

  SmallVector<Type> yielded(getInitials().getTypes());
  for (auto [i, result] : llvm::enumerate(getStacked())) {
    NamedTensor stacked("stacked result", i, result);
    if (stacked.type.getRank() == 0)
      return emitOpError("expects '")
             << stacked.name << "' to have the steps in front, but got "
             << stacked.type;
    if (stacked.type.getDimSize(0) != steps)
      return emitOpError("expects '")
             << stacked.name << "' to have the steps of the inputs, "
             << spellShape(steps) << ", in front, but got " << stacked.type;
    yielded.push_back(stepType(stacked.type));
  }
  return expectRegion(*this, getBody(), "body", arguments, yielded);
}

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

MutableArrayRef<OpOperand> ScanOp::getStepOutputs() {
  return getBody().front().getTerminator()->getOpOperands().drop_front(
      getNumCarried());
}

SmallVector<Region *> ScanOp::getLoopRegions() { return {&getBody()}; }

bool ScanOp::isDefinedOutsideOfLoop(Value value) {
  return !getBody().isAncestor(value.getParentRegion());
}

MutableArrayRef<OpOperand> ScanOp::getInitsMutable() {
  return getOperation()->getOpOperands().take_front(getNumCarried());
}

// Asked of bodies that are not verified, too.
Block::BlockArgListType ScanOp::getRegionIterArgs() {
  auto arguments = getBody().getArguments();
  return arguments.take_front(
      std::min<size_t>(getNumCarried(), arguments.size()));
}

std::optional<MutableArrayRef<OpOperand>> ScanOp::getYieldedValuesMutable() {
  Block &body = getBody().front();
  auto yield = body.empty() ? YieldOp() : dyn_cast<YieldOp>(body.back());
  if (!yield)
    return MutableArrayRef<OpOperand>();
  MutableArrayRef<OpOperand> yielded = yield->getOpOperands();
  return yielded.take_front(std::min<size_t>(getNumCarried(), yielded.size()));
}

std::optional<ResultRange> ScanOp::getLoopResults() {
  return getOutputs().take_front(getNumCarried());
}
