// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of blocks and slices.

#include "codegen/cpu/linear/LinearForm.h"

#include "codegen/cpu/linear/InputRows.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/plan/InPlace.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// `k` in as few slices as the target allows, about equal, of whole lanes.
static int64_t sliceOf(int64_t k, const TargetSpec &target) {
  int64_t slices =
      std::max<int64_t>(llvm::divideCeil(k, target.linearDepth), 1);
  return std::min<int64_t>(
      llvm::alignTo(llvm::divideCeil(k, slices), kPanelWidth), k);
}

/// Floats from row to row in scratch. One more than whole cache lines, so that
/// the rows of a tile do not all reach the end of a line at the same column;
/// and a line more than that, so that they do not share a set of L1 where the
/// width is a multiple of 1024.
static int64_t strideOf(int64_t width) {
  return llvm::alignTo(width, kPanelWidth) + kPanelWidth + 1;
}

LinearForm::LinearForm(LinearOp op, const TargetSpec &target)
    : op(op), target(target), groups(0), stride(0) {
  k = cast<RankedTensorType>(op.getInput().getType()).getShape().back();
  slice = sliceOf(k, target);
  for (unsigned i = 0; i < op.getWeights().size(); ++i)
    groups += groupsOf(i);
  // A copy costs as much as half a group.
  constexpr int64_t kGroupsThatPay = 12;
  if (!op.getPrologue().empty())
    stride = strideOf(k);
  else if (InputRows::areMoved(op) || groups >= kGroupsThatPay)
    stride = strideOf(slice);
}

int64_t LinearForm::groupsOf(unsigned index) {
  auto type = cast<RankedTensorType>(op.getWeights()[index].getType());
  return llvm::divideCeil(type.getDimSize(0),
                          target.linear.panels * kPanelWidth);
}

bool LinearForm::waitsInScratch(unsigned index) {
  if (!isSliced())
    return false;
  auto kernel = op->getParentOfType<func::FuncOp>();
  for (OpOperand &use : op.getOutputs()[index].getUses())
    if (isa<func::ReturnOp>(use.getOwner()) &&
        !overwritableArguments(kernel, use.getOperandNumber()).empty())
      return true;
  return false;
}

int64_t LinearForm::waitingColumns(unsigned index) {
  return waitsInScratch(index)
             ? groupsOf(index) * target.linear.panels * kPanelWidth
             : 0;
}

/// Whether an epilogue calls an elementary function, which takes registers.
static bool isLong(Region &epilogue) {
  return llvm::any_of(epilogue.front(), [](Operation &op) {
    return isa<GeluOp>(op) ||
           (isa<math::MathDialect>(op.getDialect()) &&
            !isa<math::AbsFOp, math::FmaOp, math::SqrtOp>(op));
  });
}

bool LinearForm::finishesInScratch(unsigned index) {
  return !target.longEpilogueInAccumulators && !op.getEpilogues().empty() &&
         isLong(op.getEpilogues()[index]);
}

int64_t LinearForm::tileBytes() {
  for (unsigned i = 0; i < op.getWeights().size(); ++i)
    if (finishesInScratch(i))
      return target.linear.rows * target.linear.panels * kPanelWidth *
             int64_t(sizeof(float));
  return 0;
}

int LinearForm::groupsOfRow() const {
  // More would be as many streams as L1 has ways.
  constexpr int64_t kMostPanels = 4;
  int64_t registers = kPanelWidth / target.lanes; // of a panel
  int64_t panels =
      std::min(kMostPanels, target.vectorRegisters / 2 / registers);
  return std::max<int64_t>(panels / target.linear.panels, 1);
}

int64_t LinearForm::largestBlock() {
  int64_t panels = 2 * target.linear.panels * kPanelWidth * slice;
  int64_t width = op.getPrologue().empty() ? slice : k;
  int64_t floats = target.l2Bytes / int64_t(sizeof(float)) - panels;
  int64_t tiles =
      floats * 7 / 8 / std::max<int64_t>(width, 1) / target.linear.rows;
  return std::max<int64_t>(tiles, 4) * target.linear.rows;
}
