// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// matmul(w(softmax(f(matmul(q, k^T), c)), c), v) => attention(q, k, v){score =
// f(dot, c); weight = w}.

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/raise/AttentionMatch.h"
#include "passes/raise/AttentionOperands.h"
#include "passes/raise/JoinedHeads.h"
#include "passes/raise/LinearWeights.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_RAISEATTENTION
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-raise-attention";

namespace {

/// Puts an attention in the place of what was matched.
class Rewrite {
public:
  Rewrite(RewriterBase &rewriter, AttentionMatch &from)
      : rewriter(rewriter), from(from) {}

  void run();

private:
  AttentionOp createAttention();
  void repeatNoHeads(SmallVector<Value> &keys, Value &value);
  void replaceSizes(AttentionOp attention);
  void splitBatch(OpBuilder &builder, Value joined, IRMapping &mapping);
  void emitRegion(Region &region, Value result);

  RewriterBase &rewriter;
  AttentionMatch &from;
  /// As they were before two dimensions of batches were joined.
  Value firstQuery, firstKey;
};

} // namespace

//===----------------------------------------------------------------------===//
// The regions
//===----------------------------------------------------------------------===//

/// The two indices that one of all batches stands for, where any is read.
void Rewrite::splitBatch(OpBuilder &builder, Value joined, IRMapping &mapping) {
  int64_t inner = from.queries[0].getType().getDimSize(1);
  if (ShapedType::isDynamic(inner))
    return;
  Location loc = joined.getLoc();
  Value size = arith::ConstantIndexOp::create(builder, loc, inner);
  Value outer = arith::FloorDivSIOp::create(builder, loc, joined, size);
  Value before = arith::MulIOp::create(builder, loc, outer, size);
  mapping.map(from.scalars.outer, outer);
  mapping.map(from.scalars.batch,
              arith::SubIOp::create(builder, loc, joined, before));
}

/// Fills a region of attn.attention with what `result` needs.
void Rewrite::emitRegion(Region &region, Value result) {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> worklist{result};
  while (!worklist.empty())
    if (Operation *op = worklist.pop_back_val().getDefiningOp();
        op && needed.insert(op))
      llvm::append_range(worklist, op->getOperands());

  OpBuilder builder(region.getContext());
  IRMapping mapping;
  Block *block = builder.createBlock(&region);
  auto add = [&](Value argument) {
    Value added = block->addArgument(argument.getType(), argument.getLoc());
    if (!mapping.contains(argument))
      mapping.map(argument, added);
    return added;
  };
  for (auto [query, key] : from.pairs) {
    add(from.reader.queries[query].argument);
    add(from.reader.keys[key].argument);
  }
  Value joined = add(from.scalars.batch);
  for (Value index : {from.scalars.head, from.scalars.row, from.scalars.column,
                      from.scalars.rows, from.scalars.columns})
    add(index);
  for (auto &[capture, argument] : from.captures)
    add(argument);
  if (&region == &cast<AttentionOp>(region.getParentOp()).getWeight())
    add(from.scalars.weight);
  if (from.rank == 5)
    splitBatch(builder, joined, mapping);
  for (Operation &op : from.scalars.block)
    if (needed.contains(&op))
      builder.clone(op, mapping);
  YieldOp::create(builder, result.getLoc(), mapping.lookup(result));
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// Takes keys and values as they were before their heads were repeated, if all
/// were repeated alike.
void Rewrite::repeatNoHeads(SmallVector<Value> &keys, Value &value) {
  SmallVector<Value> sources;
  for (Value repeated : keys)
    sources.push_back(matchRepeatedHeads(repeated));
  sources.push_back(matchRepeatedHeads(value));
  auto headsOf = [](Value source) {
    return cast<RankedTensorType>(source.getType()).getDimSize(1);
  };
  if (llvm::is_contained(sources, Value()) ||
      !llvm::all_equal(llvm::map_range(sources, headsOf)))
    return;
  value = sources.pop_back_val();
  keys = sources;
}

AttentionOp Rewrite::createAttention() {
  SmallVector<Value> queryValues, keyValues, captured;
  for (auto [query, key] : llvm::zip_equal(from.queries, from.keys)) {
    queryValues.push_back(query.create(rewriter));
    keyValues.push_back(key.create(rewriter));
  }
  Value values = from.value->create(rewriter);
  firstQuery = queryValues.front();
  firstKey = keyValues.front();
  if (from.rank == 5) {
    for (Value &operand : llvm::concat<Value>(queryValues, keyValues))
      operand = joinBatches(rewriter, operand);
    values = joinBatches(rewriter, values);
  }
  repeatNoHeads(keyValues, values);
  for (auto &[capture, argument] : from.captures)
    captured.push_back(capture);
  Value sink = from.reader.sink;
  if (sink && cast<RankedTensorType>(sink.getType()).getRank() != 1) {
    auto type = cast<RankedTensorType>(sink.getType());
    sink = tensor::CollapseShapeOp::create(
        rewriter, sink.getLoc(), type.clone({type.getNumElements()}), sink,
        ArrayRef<ReassociationIndices>{
            llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()))});
  }
  Type weights;
  if (!from.returned.empty())
    weights = withHeads(cast<RankedTensorType>(from.output.getA().getType()));
  return AttentionOp::create(rewriter, from.output.getLoc(),
                             withHeads(from.output.getResult().getType()),
                             weights,
                             /*logsumexp=*/Type(), queryValues, keyValues,
                             values, captured, sink, /*starts=*/Value(),
                             /*lengths=*/Value(), from.parts.normalizer);
}

/// Takes sizes of scores and weights from the queries and keys instead.
void Rewrite::replaceSizes(AttentionOp attention) {
  SmallVector<Value> all{from.scalars.batch, from.scalars.head,
                         from.scalars.row};
  if (from.rank == 5)
    all.insert(all.begin(), from.scalars.outer);
  int64_t rowsAt = all.size() - 1;
  for (const ElementReader::Element &element : from.reader.getElements()) {
    Operation *op = element.tensor.getDefiningOp();
    if (!op || !from.reader.getChain().contains(op))
      continue;
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      if (!isSize(user))
        continue;
      int64_t dimension = *cast<tensor::DimOp>(user).getConstantIndex();
      Value at = element.coordinates[dimension];
      int64_t number = llvm::find(all, at) - all.begin();
      if (number > rowsAt && at != from.scalars.column)
        continue;
      rewriter.setInsertionPoint(attention);
      rewriter.replaceOpWithNewOp<tensor::DimOp>(
          user, at == from.scalars.column ? firstKey : firstQuery,
          std::min(number, rowsAt));
    }
  }
}

static StringRef describe(Normalizer normalizer) {
  switch (normalizer) {
  case Normalizer::Softmax:
    return "raised from a product, a softmax and a product";
  case Normalizer::Sigmoid:
    return "raised from a product, a sigmoid and a product";
  case Normalizer::Sum:
    return "raised from a product of scores and values";
  }
  llvm_unreachable("unknown normalizer");
}

void Rewrite::run() {
  rewriter.setInsertionPoint(from.output);
  AttentionOp attention = createAttention();
  emitRegion(attention.getScore(), from.parts.score);
  if (from.parts.keep)
    emitRegion(attention.getKeep(), from.parts.keep);
  if (from.parts.weight != from.scalars.weight)
    emitRegion(attention.getWeight(), from.parts.weight);
  attention->setDiscardableAttrs(from.output->getDiscardableAttrDictionary());
  remarkDone(kPass, attention, describe(from.parts.normalizer));
  replaceSizes(attention);

  rewriter.setInsertionPointAfter(attention);
  auto collapsed = [&](Value result, Type type) -> Value {
    if (from.rank == 4)
      return result;
    auto wanted = cast<RankedTensorType>(type);
    if (from.rank < 4)
      return tensor::CollapseShapeOp::create(rewriter, from.output.getLoc(),
                                             wanted, result,
                                             getHeadReassociation(from.rank));
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, from.output.getLoc(), firstQuery);
    sizes.back() =
        tensor::getMixedSize(rewriter, from.output.getLoc(), result, /*dim=*/3);
    return tensor::ExpandShapeOp::create(
        rewriter, from.output.getLoc(), wanted, result,
        getHeadReassociation(from.rank), sizes);
  };
  Value result =
      collapsed(attention.getOutput(), from.output.getResult().getType());
  Value weights =
      from.returned.empty()
          ? Value()
          : collapsed(attention.getWeights(), from.output.getA().getType());
  Block *block = from.output->getBlock();
  rewriter.replaceOp(from.output, result);
  for (Value old : from.returned)
    rewriter.replaceUsesWithIf(old, weights, [&](OpOperand &use) {
      return !from.reader.getChain().contains(use.getOwner());
    });
  // What reads the weights or their sizes may have stood before the output.
  sortTopologically(block);
}

/// Leaves a remark where the product comes close to an attention.
static void raise(RewriterBase &rewriter, MatmulOp output) {
  AttentionMatch found(output);
  AttentionMatch::Reason reason;
  if (found.match(reason))
    Rewrite(rewriter, found).run();
  else if (!reason.empty())
    remarkDeclined(kPass, output, reason);
}

namespace {
struct RaiseAttention : attn::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSplitJoinedHeads(patterns);
    populateLinearWeights(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();

    SmallVector<MatmulOp> outputs;
    getOperation().walk([&](MatmulOp op) { outputs.push_back(op); });
    IRRewriter rewriter(&getContext());
    bool hasTwoBatches = llvm::any_of(outputs, [](MatmulOp output) {
      return output.getResult().getType().getRank() == 5;
    });
    for (MatmulOp output : outputs)
      raise(rewriter, output);
    if (hasTwoBatches && failed(moveTransposesOfBatches()))
      return signalPassFailure();
    (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }

  LogicalResult moveTransposesOfBatches() {
    RewritePatternSet patterns(&getContext());
    populateTransposesOfBatches(patterns);
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};
} // namespace
