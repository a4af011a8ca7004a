// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// matmul(w(softmax(f(matmul(q, k^T), c)), c), v) => attention(q, k, v){score =
// f(dot, c); weight = w}.

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/raise/AttentionOperands.h"
#include "passes/raise/HeadTensors.h"
#include "passes/raise/JoinedHeads.h"
#include "passes/raise/LinearWeights.h"
#include "passes/raise/Normalizer.h"
#include "passes/raise/ScoreReader.h"
#include "passes/raise/ScoreSimplification.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_RAISEATTENTION
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-raise-attention";

namespace {

/// A product of weights and values, and what is found out about it.
class Candidate {
public:
  Candidate(RewriterBase &rewriter, MatmulOp output)
      : rewriter(rewriter), output(output), scalarBuilder(output.getContext()),
        scalars(output.getLoc()), rank(output.getResult().getType().getRank()),
        reader(scalarBuilder, scalars, rank) {}

  /// Rewrites the product where its weights are those of an attention. Leaves
  /// a remark where they come close.
  void run();

private:
  /// Why it cannot be raised; empty where its weights are none of an attention.
  using Reason = std::string;

  bool match(Reason &reason);
  bool readWeights(Reason &reason);
  bool findOtherReaders(Reason &reason);
  bool isReturnedWeight(Operation *op);
  void simplify();
  void eraseUnused();
  bool findPairs(Reason &reason);
  bool layOut(Reason &reason);
  void dropUnusedCaptures();
  void rewrite();
  AttentionOp createAttention();
  void repeatNoHeads(SmallVector<Value> &keys, Value &value);
  void replaceSizes(AttentionOp attention);
  void splitBatch(OpBuilder &builder, Value joined, IRMapping &mapping);
  void emitRegion(Region &region, Value result);

  RewriterBase &rewriter;
  MatmulOp output;
  OpBuilder scalarBuilder;
  ScoreBlock scalars;
  int64_t rank;
  ScoreReader reader;

  NormalizedScore parts;
  /// Results of the chain that are the weights and are read elsewhere too.
  SmallVector<Value> returned;
  /// Numbers of a query and a key each.
  SmallVector<std::pair<unsigned, unsigned>> pairs;
  SmallVector<HeadLayout> queries, keys;
  /// As they were before two dimensions of batches were joined.
  Value firstQuery, firstKey;
  std::optional<HeadLayout> value;
  /// Those that a region reads, with their arguments in the scalars' block.
  SmallVector<std::pair<Value, BlockArgument>> captures;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// True where `op` asks for a constant dimension's size alone.
static bool isSize(Operation *op) {
  auto dim = dyn_cast<tensor::DimOp>(op);
  return dim && dim.getConstantIndex();
}

bool Candidate::readWeights(Reason &reason) {
  scalarBuilder.setInsertionPointToStart(&scalars.block);
  unsigned keysAt = output.getTransposeB() ? rank - 1 : rank - 2;
  reader.defineSize(output.getB(), keysAt, scalars.columns);
  FailureOr<Value> weight = reader.read(output.getA(), reader.getCoordinates());
  if (failed(weight)) {
    // Other products fail to be weights in their own ways.
    if (!reader.getChain().empty() || reader.softmax)
      reason = reader.getReason();
    return false;
  }
  if (!reader.isDerived(*weight)) {
    if (reader.hasOtherSoftmax)
      reason = "its scores are not a product of queries and keys";
    return false;
  }
  FailureOr<NormalizedScore> found =
      normalize(scalarBuilder, reader, scalars, *weight, reason);
  if (failed(found))
    return false;
  parts = *found;
  parts.normalized.append({*weight, scalars.weight});
  return true;
}

/// Whether what `op` gives is the attention map: the weights by which values
/// are multiplied, all of them and in order.
bool Candidate::isReturnedWeight(Operation *op) {
  for (const ElementReader::Element &element : reader.getElements())
    if (element.tensor.getDefiningOp() == op &&
        ArrayRef(element.coordinates) == reader.getCoordinates())
      return element.tensor == output.getA() ||
             (parts.weight == scalars.weight &&
              llvm::is_contained(parts.normalized, element.scalar));
  return false;
}

/// Scores that something else reads are in memory anyway.
bool Candidate::findOtherReaders(Reason &reason) {
  const llvm::SetVector<Operation *> &chain = reader.getChain();
  for (Operation *op : chain) {
    for (Operation *user : op->getUsers()) {
      if (user == output || chain.contains(user) || isSize(user))
        continue;
      if (isReturnedWeight(op)) {
        if (!llvm::is_contained(returned, op->getResult(0)))
          returned.push_back(op->getResult(0));
        continue;
      }
      reason =
          "its scores are also read by " + user->getName().getStringRef().str();
      return false;
    }
  }
  for (Value capture : reader.getCaptures())
    if (chain.contains(capture.getDefiningOp())) {
      reason = "a score depends on scores at other places";
      return false;
    }
  return true;
}

/// Every query has a key and every key a query.
bool Candidate::findPairs(Reason &reason) {
  auto isUsed = [](const VectorOperand &operand) {
    return !operand.argument.use_empty();
  };
  auto addPair = [&](unsigned query, unsigned key) {
    if (!llvm::is_contained(pairs, std::pair(query, key)))
      pairs.push_back({query, key});
  };
  for (const DotProduct &product : reader.products)
    if (isUsed(reader.queries[product.query]) &&
        isUsed(reader.keys[product.key]))
      addPair(product.query, product.key);

  auto findAlone = [&](ArrayRef<VectorOperand> operands, bool isQuery) {
    SmallVector<unsigned> alone;
    for (auto [number, operand] : llvm::enumerate(operands))
      if (isUsed(operand) && llvm::none_of(pairs, [&](auto pair) {
            return number == (isQuery ? pair.first : pair.second);
          }))
        alone.push_back(number);
    return alone;
  };
  SmallVector<unsigned> aloneQueries = findAlone(reader.queries, true);
  SmallVector<unsigned> aloneKeys = findAlone(reader.keys, false);
  auto widthOf = [](const VectorOperand &operand) {
    return operand.argument.getType();
  };
  for (unsigned query : aloneQueries) {
    auto fits = [&](unsigned key) {
      return widthOf(reader.keys[key]) == widthOf(reader.queries[query]);
    };
    auto key = llvm::find_if(aloneKeys, fits);
    if (key == aloneKeys.end()) {
      reason = "its scores use queries and keys of different widths";
      return false;
    }
    addPair(query, *key);
    aloneKeys.erase(key);
  }
  if (!aloneKeys.empty() || pairs.empty()) {
    reason = "its scores do not depend on queries and keys alike";
    return false;
  }
  return true;
}

bool Candidate::layOut(Reason &reason) {
  auto fail = [&](StringRef why) {
    reason = why.str();
    return false;
  };
  SmallVector<Value> row{scalars.batch, scalars.head, scalars.row, Value()};
  if (rank == 5)
    row.insert(row.begin(), scalars.outer);
  SmallVector<Value> column(row);
  llvm::replace(column, scalars.row, scalars.column);
  SmallVector<Value> atValue(reader.getCoordinates().drop_back(2));
  atValue.append({scalars.column, Value()});
  if (output.getTransposeB())
    std::swap(atValue[rank - 2], atValue[rank - 1]);
  value = HeadLayout::find(output.getB(), atValue, column);
  for (auto [query, key] : pairs) {
    std::optional<HeadLayout> q = HeadLayout::find(
        reader.queries[query].tensor, reader.queries[query].coordinates, row);
    std::optional<HeadLayout> k = HeadLayout::find(
        reader.keys[key].tensor, reader.keys[key].coordinates, column);
    if (!q || !k)
      return fail("queries or keys have dimensions other than [batch, head, "
                  "row, width]");
    queries.push_back(*q);
    keys.push_back(*k);
  }
  RankedTensorType values = value->getType(), first = queries[0].getType();
  int64_t headsAt = row.size() - 3, heads = first.getDimSize(headsAt);
  if (ShapedType::isDynamic(heads) ||
      ShapedType::isDynamic(values.getDimSize(headsAt)) ||
      ShapedType::isDynamic(values.getShape().back()))
    return fail("the number of heads or their width is dynamic");
  // A batch or heads that one of them lacks would have to be repeated.
  auto hasBatches = [&](RankedTensorType type) {
    return llvm::equal(
        type.getShape().take_front(headsAt),
        values.getShape().take_front(headsAt),
        [](int64_t a, int64_t b) { return (a == 1) == (b == 1); });
  };
  for (auto [query, key] : llvm::zip_equal(queries, keys))
    for (RankedTensorType type : {query.getType(), key.getType()})
      if (!hasBatches(type) || type.getDimSize(headsAt) != heads)
        return fail("queries, keys and values differ in batch or heads");
  bool dividesBatch =
      rank == 5 && !(scalars.outer.use_empty() && scalars.batch.use_empty());
  if (dividesBatch && first.isDynamicDim(1))
    return fail("its scores depend on one of two dimensions of batches, of "
                "which the second is dynamic");
  return true;
}

bool Candidate::match(Reason &reason) {
  if (rank > 5) {
    if (output.getA().getDefiningOp<SoftmaxOp>())
      reason = "its operands have more dimensions than [outer batch, batch, "
               "head, row, width]";
    return false;
  }
  if (!readWeights(reason) || !findOtherReaders(reason))
    return false;
  simplify();
  dropUnusedCaptures();
  return findPairs(reason) && layOut(reason);
}

//===----------------------------------------------------------------------===//
// The regions
//===----------------------------------------------------------------------===//

void Candidate::eraseUnused() {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(scalars.block))) {
    bool isResult = llvm::any_of(op.getResults(), [&](Value result) {
      return result == parts.score || result == parts.keep ||
             result == parts.weight;
    });
    if (op.use_empty() && !isResult)
      op.erase();
  }
}

/// Separates the mask from the score and joins its constant factors.
void Candidate::simplify() {
  eraseUnused();
  scalarBuilder.setInsertionPointToEnd(&scalars.block);
  if (parts.normalizer != Normalizer::Sum) {
    MaskedScore masked = extractKeep(scalarBuilder, parts.score);
    parts.score = masked.score;
    parts.keep = masked.keep;
  }
  if (parts.keep)
    parts.weight = dropNanGuard(parts.weight, scalars.weight);
  eraseUnused();
  SmallVector<DotOp> dots(scalars.block.getOps<DotOp>());
  for (DotOp dot : dots)
    for (const DotProduct &product : reader.products)
      if (product.scalar == dot.getResult())
        parts.score =
            foldScale(scalarBuilder, dot, product.factor, parts.score);
  eraseUnused();
}

void Candidate::dropUnusedCaptures() {
  ArrayRef<Value> all = reader.getCaptures();
  ArrayRef<BlockArgument> arguments =
      scalars.block.getArguments().take_back(all.size());
  for (auto [capture, argument] : llvm::zip_equal(all, arguments))
    if (!argument.use_empty())
      captures.push_back({capture, argument});
}

/// The two indices that one of all batches stands for, where any is read.
void Candidate::splitBatch(OpBuilder &builder, Value joined,
                           IRMapping &mapping) {
  int64_t inner = queries[0].getType().getDimSize(1);
  if (ShapedType::isDynamic(inner))
    return;
  Location loc = joined.getLoc();
  Value size = arith::ConstantIndexOp::create(builder, loc, inner);
  Value outer = arith::FloorDivSIOp::create(builder, loc, joined, size);
  Value before = arith::MulIOp::create(builder, loc, outer, size);
  mapping.map(scalars.outer, outer);
  mapping.map(scalars.batch,
              arith::SubIOp::create(builder, loc, joined, before));
}

/// Fills a region of attn.attention with what `result` needs.
void Candidate::emitRegion(Region &region, Value result) {
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
  for (auto [query, key] : pairs) {
    add(reader.queries[query].argument);
    add(reader.keys[key].argument);
  }
  Value joined = add(scalars.batch);
  for (Value index : {scalars.head, scalars.row, scalars.column, scalars.rows,
                      scalars.columns})
    add(index);
  for (auto &[capture, argument] : captures)
    add(argument);
  if (&region == &cast<AttentionOp>(region.getParentOp()).getWeight())
    add(scalars.weight);
  if (rank == 5)
    splitBatch(builder, joined, mapping);
  for (Operation &op : scalars.block)
    if (needed.contains(&op))
      builder.clone(op, mapping);
  YieldOp::create(builder, result.getLoc(), mapping.lookup(result));
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// Takes keys and values as they were before their heads were repeated, if all
/// were repeated alike.
void Candidate::repeatNoHeads(SmallVector<Value> &keys, Value &value) {
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

AttentionOp Candidate::createAttention() {
  SmallVector<Value> queryValues, keyValues, captured;
  for (auto [query, key] : llvm::zip_equal(queries, keys)) {
    queryValues.push_back(query.create(rewriter));
    keyValues.push_back(key.create(rewriter));
  }
  Value values = value->create(rewriter);
  firstQuery = queryValues.front();
  firstKey = keyValues.front();
  if (rank == 5) {
    for (Value &operand : llvm::concat<Value>(queryValues, keyValues))
      operand = joinBatches(rewriter, operand);
    values = joinBatches(rewriter, values);
  }
  repeatNoHeads(keyValues, values);
  for (auto &[capture, argument] : captures)
    captured.push_back(capture);
  Value sink = reader.sink;
  if (sink && cast<RankedTensorType>(sink.getType()).getRank() != 1) {
    auto type = cast<RankedTensorType>(sink.getType());
    sink = tensor::CollapseShapeOp::create(
        rewriter, sink.getLoc(), type.clone({type.getNumElements()}), sink,
        ArrayRef<ReassociationIndices>{
            llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()))});
  }
  Type weights;
  if (!returned.empty())
    weights = withHeads(cast<RankedTensorType>(output.getA().getType()));
  return AttentionOp::create(rewriter, output.getLoc(),
                             withHeads(output.getResult().getType()), weights,
                             /*logsumexp=*/Type(), queryValues, keyValues,
                             values, captured, sink, /*starts=*/Value(),
                             /*lengths=*/Value(), parts.normalizer);
}

/// Takes sizes of scores and weights from the queries and keys instead.
void Candidate::replaceSizes(AttentionOp attention) {
  SmallVector<Value> all{scalars.batch, scalars.head, scalars.row};
  if (rank == 5)
    all.insert(all.begin(), scalars.outer);
  int64_t rowsAt = all.size() - 1;
  for (const ElementReader::Element &element : reader.getElements()) {
    Operation *op = element.tensor.getDefiningOp();
    if (!op || !reader.getChain().contains(op))
      continue;
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      if (!isSize(user))
        continue;
      int64_t dimension = *cast<tensor::DimOp>(user).getConstantIndex();
      Value at = element.coordinates[dimension];
      int64_t number = llvm::find(all, at) - all.begin();
      if (number > rowsAt && at != scalars.column)
        continue;
      rewriter.setInsertionPoint(attention);
      rewriter.replaceOpWithNewOp<tensor::DimOp>(
          user, at == scalars.column ? firstKey : firstQuery,
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

void Candidate::rewrite() {
  rewriter.setInsertionPoint(output);
  AttentionOp attention = createAttention();
  emitRegion(attention.getScore(), parts.score);
  if (parts.keep)
    emitRegion(attention.getKeep(), parts.keep);
  if (parts.weight != scalars.weight)
    emitRegion(attention.getWeight(), parts.weight);
  attention->setDiscardableAttrs(output->getDiscardableAttrDictionary());
  remarkDone(kPass, attention, describe(parts.normalizer));
  replaceSizes(attention);

  rewriter.setInsertionPointAfter(attention);
  auto collapsed = [&](Value result, Type type) -> Value {
    if (rank == 4)
      return result;
    auto wanted = cast<RankedTensorType>(type);
    if (rank < 4)
      return tensor::CollapseShapeOp::create(rewriter, output.getLoc(), wanted,
                                             result,
                                             getHeadReassociation(rank));
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, output.getLoc(), firstQuery);
    sizes.back() =
        tensor::getMixedSize(rewriter, output.getLoc(), result, /*dim=*/3);
    return tensor::ExpandShapeOp::create(rewriter, output.getLoc(), wanted,
                                         result, getHeadReassociation(rank),
                                         sizes);
  };
  Value result = collapsed(attention.getOutput(), output.getResult().getType());
  Value weights = returned.empty() ? Value()
                                   : collapsed(attention.getWeights(),
                                               output.getA().getType());
  Block *block = output->getBlock();
  rewriter.replaceOp(output, result);
  for (Value old : returned)
    rewriter.replaceUsesWithIf(old, weights, [&](OpOperand &use) {
      return !reader.getChain().contains(use.getOwner());
    });
  // What reads the weights or their sizes may have stood before the output.
  sortTopologically(block);
}

void Candidate::run() {
  Reason reason;
  if (match(reason))
    return rewrite();
  if (!reason.empty())
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
      Candidate(rewriter, output).run();
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
