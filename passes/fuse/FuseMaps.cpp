// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// map(map(x)) => map(x), map(transpose(x)) => map(x).

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "passes/Elementwise.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_FUSEMAPS
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-fuse-maps";

/// True where the value depends on weights and constants alone, so that it is
/// computed when compiling.
static bool isComputedWhenCompiling(Value value) {
  SmallVector<Value> worklist{value};
  llvm::DenseSet<Value> seen;
  while (!worklist.empty()) {
    Value next = worklist.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    Operation *op = next.getDefiningOp();
    if (!op || (isa<RankedTensorType>(next.getType()) &&
                !cast<RankedTensorType>(next.getType()).hasStaticShape()))
      return false;
    llvm::append_range(worklist, op->getOperands());
  }
  return true;
}

/// True where each element that `operand` reads is read once.
static bool readsEachOnce(linalg::GenericOp map, OpOperand *operand) {
  return map.getMatchingIndexingMap(operand).isPermutation();
}

/// Why `producer` is not computed inside its reader, or nothing.
static std::optional<StringRef>
whyNot(linalg::GenericOp map, OpOperand *operand, linalg::GenericOp producer) {
  if (!operand->get().hasOneUse())
    return StringRef("its result is read more than once");
  if (producer->getBlock() != map->getBlock())
    return StringRef("its reader runs in every step of a scan, it only once");
  if (isComputedWhenCompiling(operand->get()))
    return StringRef("it is computed when compiling");
  if (!readsEachOnce(map, operand))
    return StringRef(
        "its reader broadcasts it and would compute it repeatedly");
  if (!linalg::areElementwiseOpsFusable(operand))
    return StringRef("its coordinates do not follow from its reader's");
  return std::nullopt;
}

/// Reads the operand of a transpose in its place.
static void foldTranspose(RewriterBase &rewriter, linalg::GenericOp map,
                          OpOperand *operand, linalg::TransposeOp transpose) {
  AffineMap read = map.getMatchingIndexingMap(operand);
  SmallVector<AffineExpr> results(read.getNumResults());
  for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
    results[from] = read.getResult(to);
  SmallVector<AffineMap> maps = map.getIndexingMapsArray();
  maps[operand->getOperandNumber()] =
      AffineMap::get(read.getNumDims(), 0, results, read.getContext());
  rewriter.modifyOpInPlace(map, [&] {
    map.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    operand->set(transpose.getInput());
  });
  remarkDone(kPass, transpose, "made part of how its reader walks");
  rewriter.eraseOp(transpose);
}

/// Coordinates of a fused producer are those of its reader, or constants: they
/// need no arithmetic.
static void foldIndices(RewriterBase &rewriter, linalg::GenericOp map) {
  for (auto apply : llvm::make_early_inc_range(
           map.getBody()->getOps<affine::AffineApplyOp>())) {
    AffineExpr expr = apply.getAffineMap().getResult(0);
    rewriter.setInsertionPoint(apply);
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      rewriter.replaceOp(apply, apply.getMapOperands()[dim.getPosition()]);
    else if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      rewriter.replaceOpWithNewOp<arith::ConstantIndexOp>(apply,
                                                          constant.getValue());
  }
}

/// Fuses one operand; returns the map that now stands for `map`, or null
/// where nothing fits.
static linalg::GenericOp fuseOneOperand(RewriterBase &rewriter,
                                        linalg::GenericOp map) {
  for (OpOperand *operand : map.getDpsInputOperands()) {
    if (auto transpose = operand->get().getDefiningOp<linalg::TransposeOp>();
        transpose && transpose->hasOneUse() &&
        transpose->getBlock() == map->getBlock() &&
        !isComputedWhenCompiling(operand->get())) {
      foldTranspose(rewriter, map, operand, transpose);
      return map;
    }
    linalg::GenericOp producer = getElementwise(operand->get());
    if (!producer || whyNot(map, operand, producer))
      continue;
    rewriter.setInsertionPoint(map);
    FailureOr<linalg::ElementwiseOpFusionResult> fused =
        linalg::fuseElementwiseOps(rewriter, operand);
    if (failed(fused))
      continue;
    remarkDone(kPass, producer, "computed inside its reader");
    foldIndices(rewriter, cast<linalg::GenericOp>(fused->fusedOp));
    fused->fusedOp->setDiscardableAttrs(map->getDiscardableAttrDictionary());
    rewriter.replaceOp(map, fused->replacements.lookup(map.getResult(0)));
    rewriter.eraseOp(producer);
    return cast<linalg::GenericOp>(fused->fusedOp);
  }
  return {};
}

static void explain(linalg::GenericOp map) {
  for (OpOperand *operand : map.getDpsInputOperands())
    if (linalg::GenericOp producer = getElementwise(operand->get()))
      if (std::optional<StringRef> reason = whyNot(map, operand, producer))
        remarkDeclined(kPass, producer, *reason);
}

namespace {
struct FuseMaps : attn::impl::FuseMapsBase<FuseMaps> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> maps;
    getOperation().walk([&](linalg::GenericOp map) {
      if (isElementwise(map))
        maps.push_back(map);
    });
    IRRewriter rewriter(&getContext());
    // In program order: what a map absorbs was visited before it.
    for (linalg::GenericOp map : maps) {
      while (linalg::GenericOp fused = fuseOneOperand(rewriter, map))
        map = fused;
      explain(map);
    }
  }
};
} // namespace
