// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// linear(norm(x), w) => linear(x, w){prologue = norm}.

#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_FUSEPROLOGUE
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-fuse-prologue";

static bool isNorm(Operation *op) { return isa<LayerNormOp, RmsNormOp>(op); }

/// The first linear that multiplies the norm's result, or null.
static LinearOp findLinear(Operation *norm) {
  for (Operation *user : norm->getUsers())
    if (auto linear = dyn_cast<LinearOp>(user);
        linear && linear.getInput() == norm->getResult(0))
      return linear;
  return {};
}

/// Why the norm cannot become the linear's prologue, or nothing.
static std::optional<std::string> whyNot(Operation *norm, LinearOp linear) {
  if (auto layerNorm = dyn_cast<LayerNormOp>(norm);
      layerNorm && layerNorm.getAxes() != 1)
    return "it normalises more than the dimension that the linear multiplies";
  if (norm->getBlock() != linear->getBlock())
    return "the linear runs in every step of a scan, the norm only once";
  if (!linear.getPrologue().empty())
    return "the linear has a prologue of its own";
  for (OpOperand &use : norm->getUses()) {
    if (use.getOwner() != linear)
      return "its result is also read by " +
             use.getOwner()->getName().getStringRef().str();
    if (use.getOperandNumber() != 0)
      return "the linear's epilogue reads its result too";
  }
  return std::nullopt;
}

/// The norm of one row: the same operation on block arguments.
static void createPrologue(OpBuilder &builder, LinearOp linear,
                           Operation *norm) {
  ValueRange captures = norm->getOperands().drop_front();
  auto input = cast<RankedTensorType>(norm->getOperand(0).getType());
  SmallVector<Type> types{input.clone({input.getShape().back()})};
  llvm::append_range(types, captures.getTypes());
  SmallVector<Location> places(types.size(), norm->getLoc());

  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&linear.getPrologue(), {}, types, places);
  IRMapping mapping;
  mapping.map(norm->getOperands(), block->getArguments());
  Operation *row = builder.clone(*norm, mapping);
  row->getResult(0).setType(types.front());
  row->removeAttr(kTapAttr);
  YieldOp::create(builder, norm->getLoc(), row->getResults());
}

static void fuse(OpBuilder &builder, Operation *norm, LinearOp linear) {
  createPrologue(builder, linear, norm);
  linear.getInputMutable().assign(norm->getOperand(0));
  linear.getPrologueCapturesMutable().append(norm->getOperands().drop_front());
  remarkDone(kPass, norm, "made the prologue of the linear after it");
  norm->erase();
}

namespace {
struct FusePrologue : attn::impl::FusePrologueBase<FusePrologue> {
  void runOnOperation() override {
    SmallVector<Operation *> norms;
    getOperation().walk([&](Operation *op) {
      if (isNorm(op) && !isa<LinearOp>(op->getParentOp()))
        norms.push_back(op);
    });
    OpBuilder builder(&getContext());
    for (Operation *norm : norms) {
      LinearOp linear = findLinear(norm);
      if (!linear)
        continue;
      if (std::optional<std::string> reason = whyNot(norm, linear))
        remarkDeclined(kPass, norm, *reason);
      else
        fuse(builder, norm, linear);
    }
  }
};
} // namespace
