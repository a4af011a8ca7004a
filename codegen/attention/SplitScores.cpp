// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention{score = a + b} => attention{score = a + S[b, h, i, j]}, S the
// scores of attention{score = b}.

#include "codegen/attention/SplitScores.h"

#include "codegen/attention/ScoreProgram.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Remarks.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;

static constexpr StringLiteral kPass = "attn-split-scores";

namespace {

/// A value that is added to a score, or taken off it.
struct Addend {
  Value value;
  bool isNegative;
  llvm::SmallSetVector<unsigned, 4> terms; ///< numbers of those it reads
};
using Group = SmallVector<Addend>;

class SplitAttention {
public:
  SplitAttention(AttentionOp op, const ScoreProgram &program)
      : op(op), program(program) {}
  LogicalResult run();

private:
  void collectAddends();
  LogicalResult group();
  AttentionOp createPart(OpBuilder &builder, const Group &part);
  void createRest(OpBuilder &builder, ValueRange scores);

  AttentionOp op;
  const ScoreProgram &program;
  SmallVector<Addend> addends;
  SmallVector<Group> groups; ///< the first one stays
};

} // namespace

/// What `result` needs in its block, itself included.
static llvm::SetVector<Operation *> neededFor(ValueRange results) {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> work(results);
  while (!work.empty())
    if (Operation *inner = work.pop_back_val().getDefiningOp();
        inner && needed.insert(inner))
      llvm::append_range(work, inner->getOperands());
  return needed;
}

/// The yielded sum taken apart, first addends first. A sum that is read twice
/// stays whole: doublings would have more addends than fit memory.
void SplitAttention::collectAddends() {
  SmallVector<std::pair<Value, bool>> stack = {
      {op.getScore().front().getTerminator()->getOperand(0), false}};
  while (!stack.empty()) {
    auto [value, isNegative] = stack.pop_back_val();
    Operation *sum = value.getDefiningOp();
    if (isa_and_nonnull<arith::AddFOp, arith::SubFOp>(sum) &&
        value.hasOneUse()) {
      stack.push_back(
          {sum->getOperand(1), isNegative != isa<arith::SubFOp>(sum)});
      stack.push_back({sum->getOperand(0), isNegative});
      continue;
    }
    addends.push_back({value, isNegative, {}});
    for (Operation *inner : neededFor(value))
      if (inner->getNumResults() == 1)
        if (std::optional<unsigned> term = program.termOf(inner->getResult(0)))
          addends.back().terms.insert(*term);
  }
}

LogicalResult SplitAttention::group() {
  llvm::SmallDenseSet<unsigned> terms;
  groups.emplace_back();
  for (Addend &addend : addends) {
    if (addend.terms.size() > kMostPairTerms)
      return emitError(addend.value.getLoc(), "one addend of the score has ")
             << addend.terms.size()
             << " sums over the width for each query and key; expects at most "
             << kMostPairTerms;
    size_t more = llvm::count_if(
        addend.terms, [&](unsigned term) { return !terms.contains(term); });
    if (terms.size() + more > kMostPairTerms) {
      groups.emplace_back();
      terms.clear();
    }
    terms.insert(addend.terms.begin(), addend.terms.end());
    groups.back().push_back(std::move(addend));
  }
  return success();
}

/// The sum of a group, of values where the builder is.
static Value addUp(OpBuilder &builder, Location loc, const Group &group,
                   llvm::function_ref<Value(Value)> valueOf) {
  Value sum;
  for (const Addend &addend : group) {
    Value value = valueOf(addend.value);
    if (sum && addend.isNegative)
      sum = arith::SubFOp::create(builder, loc, sum, value);
    else if (sum)
      sum = arith::AddFOp::create(builder, loc, sum, value);
    else
      sum = addend.isNegative ? arith::NegFOp::create(builder, loc, value)
                              : value;
  }
  return sum;
}

/// An attention whose weights are the part's scores.
AttentionOp SplitAttention::createPart(OpBuilder &builder, const Group &part) {
  auto query = cast<RankedTensorType>(op.getQueries().front().getType());
  auto key = cast<RankedTensorType>(op.getKeys().front().getType());
  SmallVector<int64_t> shape(query.getShape().drop_back());
  shape.push_back(key.getDimSize(2));
  auto attention = AttentionOp::create(
      builder, op.getLoc(), op.getOutput().getType(), query.clone(shape),
      /*logsumexp=*/Type(), op.getQueries(), op.getKeys(), op.getValue(),
      op.getCaptures(), /*sink=*/Value(), /*starts=*/Value(),
      /*lengths=*/Value(), Normalizer::Sum);
  Block &from = op.getScore().front();
  OpBuilder inside(builder.getContext());
  Block *block = inside.createBlock(&attention.getScore());
  IRMapping mapping;
  for (BlockArgument argument : from.getArguments())
    mapping.map(argument,
                block->addArgument(argument.getType(), argument.getLoc()));
  llvm::SetVector<Operation *> needed =
      neededFor(llvm::to_vector(llvm::map_range(
          part, [](const Addend &addend) { return addend.value; })));
  for (Operation &inner : from)
    if (needed.contains(&inner))
      inside.clone(inner, mapping);
  Value sum = addUp(inside, op.getLoc(), part,
                    [&](Value value) { return mapping.lookup(value); });
  YieldOp::create(inside, op.getLoc(), sum);
  return attention;
}

/// The attention with the first group and, of the others, their scores.
void SplitAttention::createRest(OpBuilder &builder, ValueRange scores) {
  SmallVector<Value> captures(op.getCaptures());
  llvm::append_range(captures, scores);
  Type none, weights = op.getWeights() ? op.getWeights().getType() : none,
             logsumexp = op.getLogsumexp() ? op.getLogsumexp().getType() : none;
  auto rest = AttentionOp::create(
      builder, op.getLoc(), op.getOutput().getType(), weights, logsumexp,
      op.getQueries(), op.getKeys(), op.getValue(), captures, op.getSink(),
      op.getStarts(), op.getLengths(), op.getNormalizer());
  rest->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  unsigned first = 2 * op.getQueries().size(),
           at = first + 6 + op.getCaptures().size();
  for (auto [from, to] : llvm::zip(op->getRegions(), rest->getRegions())) {
    to.takeBody(from);
    for (auto [i, score] : llvm::enumerate(scores))
      if (!to.empty())
        to.insertArgument(at + i, score.getType(), score.getLoc());
  }
  Block &block = rest.getScore().front();
  auto yield = cast<YieldOp>(block.getTerminator());
  OpBuilder inside(yield);
  Value sum = addUp(inside, op.getLoc(), groups.front(),
                    [](Value value) { return value; });
  for (unsigned i = 0; i < scores.size(); ++i) {
    Value score = tensor::ExtractOp::create(
        inside, op.getLoc(), block.getArgument(at + i),
        ValueRange(block.getArguments().slice(first, 4)));
    sum = arith::AddFOp::create(inside, op.getLoc(), sum, score);
  }
  yield->setOperand(0, sum);
  for (Operation &inner : llvm::make_early_inc_range(llvm::reverse(block)))
    if (inner.use_empty() && &inner != yield)
      inner.erase();
  op->replaceAllUsesWith(rest);
  op.erase();
}

LogicalResult SplitAttention::run() {
  if (op.isRagged())
    return op.emitError("the rows of many sequences have no memory for scores; "
                        "expects at most ")
           << kMostPairTerms
           << " sums over the width for each query and key in one attention";
  collectAddends();
  if (failed(group()))
    return failure();
  if (groups.size() == 1)
    return op.emitError("only a score is computed in parts; its keep and "
                        "weight expect fewer sums over the width");
  remarkDeclined(kPass, op,
                 (Twine(program.terms().size()) +
                  " sums over the width for each query and key are too many "
                  "for one kernel: " +
                  Twine(groups.size() - 1) +
                  (groups.size() == 2 ? " part" : " parts") +
                  " of the score in memory")
                     .str());
  OpBuilder builder(op);
  SmallVector<Value> scores;
  for (const Group &part : ArrayRef(groups).drop_front())
    scores.push_back(createPart(builder, part).getWeights());
  createRest(builder, scores);
  return success();
}

namespace {
struct SplitScores : PassWrapper<SplitScores, OperationPass<func::FuncOp>> {
  SplitScores() = default;
  explicit SplitScores(bool allow) { allowUnfused = allow; }
  SplitScores(const SplitScores &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return kPass; }
  StringRef getDescription() const final {
    return "refuses scores that are too much for one kernel, or splits them";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<AttnDialect, arith::ArithDialect, tensor::TensorDialect>();
  }
  void runOnOperation() final {
    SmallVector<AttentionOp> all;
    getOperation().walk([&](AttentionOp op) { all.push_back(op); });
    for (AttentionOp op : all)
      if (failed(check(op)))
        return signalPassFailure();
  }
  LogicalResult check(AttentionOp op) {
    ScoreProgram program(op);
    ArrayRef<PairTerm> terms = program.terms();
    if (terms.size() <= kMostPairTerms)
      return success();
    if (allowUnfused)
      return SplitAttention(op, program).run();
    return terms[kMostPairTerms].op->emitError("sum number ")
           << kMostPairTerms + 1 << " of " << terms.size()
           << " over the width for each query and key; expects at most "
           << kMostPairTerms
           << " in one attention that is not allowed to be unfused";
  }

  Option<bool> allowUnfused{*this, "allow-unfused",
                            llvm::cl::desc("split scores in place of an error"),
                            llvm::cl::init(false)};
};
} // namespace

std::unique_ptr<Pass> attn::createSplitScoresPass(bool allowUnfused) {
  return std::make_unique<SplitScores>(allowUnfused);
}

void attn::registerSplitScoresPass() { PassRegistration<SplitScores>(); }
