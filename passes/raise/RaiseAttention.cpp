// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// matmul(softmax(f(matmul(q, k^T), c)), v) => attention(q, k, v){score = f(dot,
// c)}.

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Elementwise.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/raise/AttentionOperands.h"
#include "passes/raise/ElementReader.h"
#include "passes/raise/JoinedHeads.h"
#include "passes/raise/ScoreSimplification.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_RAISEATTENTION
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-raise-attention";

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

namespace {
/// Product, softmax, product, and the elementwise ops between them.
struct Candidate {
  MatmulOp scores;
  SoftmaxOp softmax;
  MatmulOp output;
  /// All of the above but `output`.
  llvm::SetVector<Operation *> chain;

  int64_t getRank() { return output.getResult().getType().getRank(); }
};

/// Finds the `Root` ops that a value is made of, element by element.
template <typename Root> struct ChainFinder {
  llvm::SetVector<Operation *> chain;
  SmallVector<Root> roots;
  llvm::DenseMap<Operation *, bool> visited;

  /// True where `value` leads to a root; the ops on the way join the chain.
  bool follow(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (auto known = visited.find(op); known != visited.end())
      return known->second;
    bool leads = false;
    if (auto root = dyn_cast<Root>(op)) {
      roots.push_back(root);
      leads = true;
    } else if (linalg::GenericOp map = getElementwise(value)) {
      for (OpOperand *input : map.getDpsInputOperands())
        if (getReadMap(map, input).isIdentity())
          leads |= follow(input->get());
    }
    if (leads)
      chain.insert(op);
    visited[op] = leads;
    return leads;
  }
};
} // namespace

/// The dimensions that must be static for attn.attention are.
static bool hasStaticHeads(Candidate candidate) {
  auto query = cast<RankedTensorType>(candidate.scores.getA().getType());
  return !query.isDynamicDim(query.getRank() - 1) &&
         (query.getRank() < 4 || !query.isDynamicDim(1));
}

/// True where `op` asks for a constant dimension's size alone.
static bool isSize(Operation *op) {
  auto dim = dyn_cast<tensor::DimOp>(op);
  return dim && dim.getConstantIndex();
}

/// Why the candidate cannot be raised, as far as its frame says.
static std::optional<std::string> whyNot(Candidate candidate) {
  if (candidate.softmax.getAxis() + 1 != uint64_t(candidate.getRank()))
    return "the softmax is not along the keys, the last dimension";
  if (candidate.getRank() > 4)
    return "its operands have more dimensions than [batch, head, row, width]";
  if (!hasStaticHeads(candidate))
    return "the number of heads or their width is dynamic";
  for (Operation *op : candidate.chain)
    for (Operation *user : op->getUsers())
      if (user != candidate.output && !candidate.chain.contains(user) &&
          !isSize(user))
        return "its " +
               std::string(op == candidate.softmax ? "weights" : "scores") +
               " are also read by " + user->getName().getStringRef().str();
  return std::nullopt;
}

/// The candidate that ends in `output`; none, with a remark where it comes
/// close, if there is none.
static std::optional<Candidate> matchCandidate(MatmulOp output) {
  ChainFinder<SoftmaxOp> weights;
  weights.follow(output.getA());
  if (weights.roots.size() != 1)
    return std::nullopt;
  SoftmaxOp softmax = weights.roots.front();
  ChainFinder<MatmulOp> scores;
  scores.follow(softmax.getInput());
  if (scores.roots.size() != 1) {
    remarkDeclined(kPass, output,
                   scores.roots.empty()
                       ? "its scores are not a product of queries and keys"
                       : "its scores are made of several products");
    return std::nullopt;
  }
  Candidate candidate{scores.roots.front(), softmax, output, scores.chain};
  candidate.chain.insert_range(weights.chain);
  if (std::optional<std::string> reason = whyNot(candidate)) {
    remarkDeclined(kPass, output, *reason);
    return std::nullopt;
  }
  return candidate;
}

//===----------------------------------------------------------------------===//
// The regions
//===----------------------------------------------------------------------===//

namespace {
/// Arguments of the block in which the regions are computed: the normalised
/// weight, then those that all regions of attn.attention have.
enum Argument {
  kWeight,
  kQuery,
  kKey,
  kBatch,
  kHead,
  kRow,
  kColumn,
  kRows,
  kColumns
};

/// The scalars that the regions yield, computed in one block.
struct Expressions {
  Block block;
  Value dot, score, keep, weight;
  SmallVector<Value> captures;

  Value getArgument(Argument which) { return block.getArgument(which); }
};
} // namespace

static void addArguments(Expressions &expressions, Location loc,
                         RankedTensorType vector) {
  Builder builder(loc.getContext());
  Type index = builder.getIndexType();
  for (Type type : {Type(builder.getF32Type()), Type(vector), Type(vector)})
    expressions.block.addArgument(type, loc);
  for (unsigned count = kBatch; count <= kColumns; ++count)
    expressions.block.addArgument(index, loc);
}

/// Reads score and weight of one pair of row and column.
static LogicalResult readExpressions(OpBuilder &builder, Candidate candidate,
                                     Expressions &expressions) {
  auto query = cast<RankedTensorType>(candidate.scores.getA().getType());
  int64_t rank = candidate.getRank();
  Location loc = candidate.softmax.getLoc();
  addArguments(expressions, loc, query.clone({query.getShape().back()}));
  auto argument = [&](Argument which) {
    return expressions.getArgument(which);
  };

  SmallVector<Value> coordinates;
  if (rank > 2)
    coordinates.push_back(argument(kBatch));
  if (rank > 3)
    coordinates.push_back(argument(kHead));
  coordinates.append({argument(kRow), argument(kColumn)});

  builder.setInsertionPointToStart(&expressions.block);
  ElementReader reader(builder, expressions.block, argument(kRow),
                       argument(kColumn));
  expressions.dot =
      DotOp::create(builder, loc, argument(kQuery), argument(kKey));
  reader.inlineAlways(candidate.chain);
  reader.define(candidate.scores.getResult(), coordinates, expressions.dot);
  reader.define(candidate.softmax.getResult(), coordinates, argument(kWeight));
  reader.defineSize(candidate.scores.getA(), rank - 2, argument(kRows));
  reader.defineSize(candidate.scores.getB(),
                    candidate.scores.getTransposeB() ? rank - 2 : rank - 1,
                    argument(kColumns));

  FailureOr<Value> score =
      reader.read(candidate.softmax.getInput(), coordinates);
  FailureOr<Value> weight = failure();
  if (succeeded(score))
    weight = reader.read(candidate.output.getA(), coordinates);
  if (failed(weight)) {
    remarkDeclined(kPass, candidate.output, reader.getReason());
    return failure();
  }
  expressions.score = *score;
  expressions.weight = *weight;
  expressions.captures.assign(reader.getCaptures().begin(),
                              reader.getCaptures().end());
  return success();
}

static void eraseUnused(Expressions &expressions) {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(expressions.block))) {
    Value result = op.getResult(0);
    if (op.use_empty() && result != expressions.score &&
        result != expressions.keep && result != expressions.weight)
      op.erase();
  }
}

/// Separates the mask from the score and joins its constant factors.
static void simplify(OpBuilder &builder, Expressions &expressions,
                     double factor) {
  eraseUnused(expressions);
  builder.setInsertionPointToEnd(&expressions.block);
  MaskedScore masked = extractKeep(builder, expressions.score);
  expressions.score = masked.score;
  expressions.keep = masked.keep;
  if (expressions.keep)
    expressions.weight =
        dropNanGuard(expressions.weight, expressions.getArgument(kWeight));
  eraseUnused(expressions);
  expressions.score =
      foldScale(builder, expressions.dot, factor, expressions.score);
  eraseUnused(expressions);
}

/// Fills a region of attn.attention with what `result` needs.
static void emitRegion(OpBuilder &builder, Region &region,
                       Expressions &expressions, Value result) {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> worklist{result};
  while (!worklist.empty())
    if (Operation *op = worklist.pop_back_val().getDefiningOp();
        op && needed.insert(op))
      llvm::append_range(worklist, op->getOperands());

  IRMapping mapping;
  Block *block = builder.createBlock(&region);
  for (BlockArgument argument : expressions.block.getArguments().drop_front())
    mapping.map(argument,
                block->addArgument(argument.getType(), argument.getLoc()));
  if (result == expressions.weight) {
    Value weight = expressions.getArgument(kWeight);
    mapping.map(weight, block->addArgument(weight.getType(), weight.getLoc()));
  }
  for (Operation &op : expressions.block)
    if (needed.contains(&op))
      builder.clone(op, mapping);
  YieldOp::create(builder, result.getLoc(), mapping.lookup(result));
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// [M, D] and [B, M, D] as [B, H, M, D] with one head, and one batch.
static SmallVector<ReassociationIndices> getReassociation(int64_t rank) {
  return rank == 2 ? SmallVector<ReassociationIndices>{{0, 1, 2}, {3}}
                   : SmallVector<ReassociationIndices>{{0, 1}, {2}, {3}};
}

static RankedTensorType asHeads(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  while (shape.size() < 4)
    shape.insert(shape.end() - 2, 1);
  return type.clone(shape);
}

static Value asHeads(RewriterBase &rewriter, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() == 4)
    return value;
  return tensor::ExpandShapeOp::create(rewriter, value.getLoc(), asHeads(type),
                                       value, getReassociation(type.getRank()));
}

namespace {
struct Operands {
  Value query, key, value;
  /// What was taken off query and key.
  double factor;
};
} // namespace

static Operands matchOperands(RewriterBase &rewriter, Candidate candidate) {
  MatmulOp scores = candidate.scores, output = candidate.output;
  Scaled query = matchScale(scores.getA());
  Scaled key = matchScale(scores.getB());
  if (!scores.getTransposeB())
    key.value = swapLastTwo(rewriter, key.value);
  Value value = output.getB();
  if (output.getTransposeB())
    value = swapLastTwo(rewriter, value);

  Value keyHeads = matchRepeatedHeads(key.value);
  Value valueHeads = matchRepeatedHeads(value);
  if (keyHeads && valueHeads &&
      cast<RankedTensorType>(keyHeads.getType()).getDimSize(1) ==
          cast<RankedTensorType>(valueHeads.getType()).getDimSize(1)) {
    key.value = keyHeads;
    value = valueHeads;
  }
  return {asHeads(rewriter, query.value), asHeads(rewriter, key.value),
          asHeads(rewriter, value), query.factor * key.factor};
}

/// Takes sizes of scores and weights from the queries and keys instead.
static void replaceSizes(RewriterBase &rewriter, Candidate candidate) {
  MatmulOp scores = candidate.scores;
  int64_t columns = candidate.getRank() - 1;
  for (Operation *op : candidate.chain)
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      if (!isSize(user))
        continue;
      int64_t dimension = *cast<tensor::DimOp>(user).getConstantIndex();
      bool isColumns = dimension == columns;
      rewriter.setInsertionPoint(user);
      rewriter.replaceOpWithNewOp<tensor::DimOp>(
          user, isColumns ? scores.getB() : scores.getA(),
          isColumns && scores.getTransposeB() ? columns - 1 : dimension);
    }
}

static void raise(RewriterBase &rewriter, Candidate candidate) {
  replaceSizes(rewriter, candidate);
  Expressions expressions;
  OpBuilder builder(rewriter.getContext());
  if (failed(readExpressions(builder, candidate, expressions)))
    return;

  MatmulOp output = candidate.output;
  rewriter.setInsertionPoint(output);
  Operands operands = matchOperands(rewriter, candidate);
  simplify(builder, expressions, operands.factor);
  auto attention = AttentionOp::create(
      rewriter, output.getLoc(), asHeads(output.getResult().getType()),
      /*weights=*/Type(), /*logsumexp=*/Type(), operands.query, operands.key,
      operands.value, expressions.captures, /*sink=*/Value());
  emitRegion(builder, attention.getScore(), expressions, expressions.score);
  if (expressions.keep)
    emitRegion(builder, attention.getKeep(), expressions, expressions.keep);
  if (expressions.weight != expressions.getArgument(kWeight))
    emitRegion(builder, attention.getWeight(), expressions, expressions.weight);
  attention->setDiscardableAttrs(output->getDiscardableAttrDictionary());
  remarkDone(kPass, attention,
             "raised from a product, a softmax and a product");

  Value result = attention.getOutput();
  if (candidate.getRank() < 4)
    result = tensor::CollapseShapeOp::create(
        rewriter, output.getLoc(), output.getResult().getType(), result,
        getReassociation(candidate.getRank()));
  rewriter.replaceOp(output, result);
}

namespace {
struct RaiseAttention : attn::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSplitJoinedHeads(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();

    SmallVector<MatmulOp> outputs;
    getOperation().walk([&](MatmulOp op) { outputs.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (MatmulOp output : outputs)
      if (std::optional<Candidate> candidate = matchCandidate(output))
        raise(rewriter, *candidate);
    (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }
};
} // namespace
