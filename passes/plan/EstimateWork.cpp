// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Notes what each launch costs, while its kernel can still be read.

#include "dialect/AttnOps.h"
#include "passes/Cost.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"

namespace attn {
#define GEN_PASS_DEF_ESTIMATEWORK
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

struct EstimateWork : attn::impl::EstimateWorkBase<EstimateWork> {
  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> models =
        modelFunctions(getOperation());
    if (failed(models))
      return signalPassFailure();
    for (func::FuncOp model : *models) {
      FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model);
      if (failed(shapes))
        return signalPassFailure();
      model.walk([&](LaunchOp launch) { note(launch, *shapes); });
    }
  }

  /// What 64 bits do not count has no estimate.
  static void note(LaunchOp launch, const SymbolicShapes &shapes) {
    std::optional<Cost> cost = costOf(launch, shapes);
    if (!cost)
      return;
    MLIRContext *context = launch.getContext();
    launch->setAttr(kWorkAttr, AffineMapAttr::get(AffineMap::get(
                                   0, shapes.symbols().size(),
                                   {cost->flops.toAffine(context),
                                    cost->bytes.toAffine(context)},
                                   context)));
  }
};

} // namespace
