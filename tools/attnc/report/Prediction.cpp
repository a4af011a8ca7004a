// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums what the launches of a model are predicted to take.

#include "tools/attnc/report/Prediction.h"

#include "dialect/AttnOps.h"
#include "passes/Cost.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

double attn::tool::predictSeconds(double flops, double bytes,
                                  const TargetSpec &target, size_t threads) {
  double readers = std::min<double>(threads, target.memoryCores);
  return std::max(flops / (threads * target.gflops * 1e9),
                  bytes / (readers * target.memoryGigabytes * 1e9));
}

/// Of one block; null where a launch costs more than 64 bits count.
static std::optional<double>
predictBlock(mlir::Block &block, const TargetSpec &target, size_t threads,
             const SymbolicShapes &shapes, ArrayRef<int64_t> sizes) {
  double total = 0;
  for (mlir::Operation &op : block) {
    if (auto loop = dyn_cast<mlir::LoopLikeOpInterface>(op)) {
      std::optional<double> body =
          predictBlock(loop.getLoopRegions().front()->front(), target, threads,
                       shapes, sizes);
      std::optional<DimExpr> count = iterationsOf(loop, shapes);
      if (!body || !count)
        return std::nullopt;
      total += *body * evaluate(*count, sizes);
    } else if (isa<LaunchOp>(op)) {
      std::optional<Cost> cost = costOf(&op, shapes);
      if (!cost)
        return std::nullopt;
      total += predictSeconds(evaluate(cost->flops, sizes),
                              evaluate(cost->bytes, sizes), target, threads);
    }
  }
  return total;
}

Expected<double>
attn::tool::predictSeconds(mlir::func::FuncOp planned, const TargetSpec &target,
                           size_t threads,
                           function_ref<int64_t(StringRef)> sizeOf) {
  auto shapes = SymbolicShapes::compute(planned);
  if (mlir::failed(shapes))
    return createStringError("the model's sizes cannot be counted; the reasons "
                             "are above");
  std::vector<int64_t> sizes;
  for (const std::string &symbol : shapes->symbols())
    sizes.push_back(sizeOf(symbol));
  std::optional<double> seconds =
      predictBlock(planned.getBody().front(), target, threads, *shapes, sizes);
  if (!seconds)
    return createStringError("the model costs more than 64 bits count");
  return *seconds;
}
