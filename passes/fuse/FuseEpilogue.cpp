// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// map(linear(x, w), captures) => linear(x, w){epilogue = map}.

#include "mlir/Transforms/RegionUtils.h"
#include "passes/Elementwise.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_FUSEEPILOGUE
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-fuse-epilogue";

namespace {
/// An elementwise op that reads result `index` of `linear`.
struct Candidate {
  LinearOp linear;
  unsigned index;
  linalg::GenericOp map;

  Value accumulator() { return linear.getResult(index); }

  /// What the map reads besides the linear's result.
  SmallVector<OpOperand *> captures() {
    SmallVector<OpOperand *> result;
    for (OpOperand *input : map.getDpsInputOperands())
      if (input->get() != accumulator())
        result.push_back(input);
    return result;
  }
};
} // namespace

/// The first elementwise reader of a result, through at most one reshape;
/// `reshape` tells which.
static linalg::GenericOp findReader(Value result, Operation *&reshape) {
  for (Operation *user : result.getUsers()) {
    if (auto map = dyn_cast<linalg::GenericOp>(user); map && isElementwise(map))
      return map;
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             linalg::TransposeOp>(user))
      continue;
    for (Operation *next : user->getUsers())
      if (auto map = dyn_cast<linalg::GenericOp>(next);
          map && isElementwise(map) && user->hasOneUse()) {
        reshape = user;
        return map;
      }
  }
  return {};
}

static bool isScalar(OpOperand *operand) {
  return !isa<RankedTensorType>(operand->get().getType());
}

/// Why the map cannot become the epilogue, or nothing where it can.
static std::optional<std::string> whyNot(Candidate candidate) {
  auto &[linear, index, map] = candidate;
  Value accumulator = candidate.accumulator();
  if (map->getBlock() != linear->getBlock())
    return "it runs in every step of a scan, the linear only once";
  for (Operation *user : accumulator.getUsers())
    if (user != map)
      return "the linear's result is also read by " +
             user->getName().getStringRef().str();
  if (map.getResult(0).getType() != accumulator.getType())
    return "it changes the shape or element type of the linear's result";
  if (usesIndices(map))
    return "it uses the coordinates of its elements";
  if (findOutsideValue(*map.getBody()))
    return "its body uses a value that is no constant from outside";
  for (OpOperand *input : map.getDpsInputOperands()) {
    if (isScalar(input)) {
      if (!matchPattern(input->get(), m_Constant()))
        return "it reads a scalar that is no constant";
    } else if (input->get() == accumulator) {
      if (!getReadMap(map, input).isIdentity())
        return "it reads the linear's result in another order";
    } else if (input->get().getDefiningOp() == linear) {
      return "it reads two results of the linear";
    }
  }
  return std::nullopt;
}

/// The place where the linear's operands and all that the map captures are
/// there, and no result is yet needed; null where there is none.
static Operation *findPlace(RewriterBase &rewriter, Candidate candidate) {
  if (candidate.linear.getNumResults() == 1)
    return candidate.map;
  SmallVector<Value> captures;
  for (OpOperand *capture : candidate.captures())
    captures.push_back(capture->get());
  if (failed(moveValueDefinitions(rewriter, captures, candidate.linear)))
    return nullptr;
  return candidate.linear;
}

/// The linear again, at the rewriter's place, with epilogues that do nothing
/// yet to its results where it had none.
static LinearOp cloneWithEpilogues(RewriterBase &rewriter, Candidate candidate,
                                   ArrayRef<Value> captures,
                                   ArrayRef<Attribute> maps) {
  LinearOp linear = candidate.linear;
  auto fused = LinearOp::create(
      rewriter, linear.getLoc(), linear.getResultTypes(), linear.getInput(),
      linear.getWeights(), captures, linear.getPrologueCaptures(),
      maps.empty() ? ArrayAttr() : rewriter.getArrayAttr(maps),
      linear.getNumResults());
  fused.getPrologue().takeBody(linear.getPrologue());
  for (auto [index, region] : llvm::enumerate(fused.getEpilogues())) {
    if (!linear.getEpilogues().empty()) {
      region.takeBody(linear.getEpilogues()[index]);
      continue;
    }
    Block *block = rewriter.createBlock(&region, {}, rewriter.getF32Type(),
                                        linear.getLoc());
    YieldOp::create(rewriter, linear.getLoc(), block->getArgument(0));
  }
  return fused;
}

/// Appends what the map does to the end of epilogue `index`; capture n of the
/// map is block argument arguments[n].
static void appendMap(RewriterBase &rewriter, Candidate candidate,
                      Block &epilogue, ArrayRef<unsigned> arguments) {
  linalg::GenericOp map = candidate.map;
  Operation *yield = epilogue.getTerminator();
  rewriter.setInsertionPoint(yield);
  IRMapping mapping;
  unsigned capture = 0;
  for (OpOperand *input : map.getDpsInputOperands()) {
    Value argument = map.getMatchingBlockArgument(input);
    if (input->get() == candidate.accumulator())
      mapping.map(argument, yield->getOperand(0));
    else if (isScalar(input))
      mapping.map(argument,
                  rewriter.clone(*input->get().getDefiningOp())->getResult(0));
    else
      mapping.map(argument, epilogue.getArgument(arguments[capture++]));
  }
  cloneScalars(rewriter, *map.getBody(), mapping);
  Value result = map.getBody()->getTerminator()->getOperand(0);
  rewriter.modifyOpInPlace(
      yield, [&] { yield->setOperand(0, mapping.lookupOrDefault(result)); });
}

/// Replaces the candidate's linear and map by one linear at `place`.
static LinearOp fuse(RewriterBase &rewriter, Candidate candidate,
                     Operation *place) {
  auto &[linear, index, map] = candidate;
  SmallVector<Value> captures(linear.getCaptures());
  SmallVector<Attribute> maps;
  if (ArrayAttr known = linear.getCaptureMapsAttr())
    llvm::append_range(maps, known);

  SmallVector<unsigned> arguments;
  unsigned known = captures.size();
  for (OpOperand *capture : candidate.captures()) {
    if (isScalar(capture))
      continue;
    auto read = AffineMapAttr::get(getReadMap(map, capture));
    unsigned at = 0;
    while (at < captures.size() &&
           (captures[at] != capture->get() || maps[at] != read))
      ++at;
    if (at == captures.size()) {
      captures.push_back(capture->get());
      maps.push_back(read);
    }
    arguments.push_back(at + 1);
  }

  rewriter.setInsertionPoint(place);
  LinearOp fused = cloneWithEpilogues(rewriter, candidate, captures, maps);
  for (Region &region : fused.getEpilogues())
    for (Value capture : ArrayRef(captures).drop_front(known))
      region.addArgument(getElementTypeOrSelf(capture), capture.getLoc());
  appendMap(rewriter, candidate, fused.getEpilogues()[index].front(),
            arguments);

  remarkDone(kPass, map, "made the epilogue of the linear before it");
  fused->setDiscardableAttrs(map->getDiscardableAttrDictionary());
  rewriter.replaceAllUsesWith(map.getResult(0), fused.getResult(index));
  rewriter.eraseOp(map);
  rewriter.replaceOp(linear, fused);
  return fused;
}

namespace {
/// Maps that were declined, with the reason; a map that reads the results of
/// two linears may be declined by one and become the epilogue of the other.
using Declined = llvm::MapVector<Operation *, std::string>;
} // namespace

/// Fuses readers of one result until there is none that fits.
static LinearOp fuseReaders(RewriterBase &rewriter, LinearOp linear,
                            unsigned index, Declined &declined) {
  while (true) {
    Operation *reshape = nullptr;
    linalg::GenericOp map = findReader(linear.getResult(index), reshape);
    if (!map)
      return linear;
    Candidate candidate{linear, index, map};
    if (reshape) {
      declined[map] = reshape->getName().getStringRef().str() +
                      " stands between it and the linear";
      return linear;
    }
    if (std::optional<std::string> reason = whyNot(candidate)) {
      declined[map] = *reason;
      return linear;
    }
    Operation *place = findPlace(rewriter, candidate);
    if (!place) {
      declined[map] = "what it captures is computed from the linear's results";
      return linear;
    }
    declined.erase(map);
    linear = fuse(rewriter, candidate, place);
  }
}

namespace {
struct FuseEpilogue : attn::impl::FuseEpilogueBase<FuseEpilogue> {
  void runOnOperation() override {
    SmallVector<LinearOp> linears;
    getOperation().walk([&](LinearOp linear) { linears.push_back(linear); });
    IRRewriter rewriter(&getContext());
    Declined declined;
    for (LinearOp linear : linears)
      for (unsigned index = 0, end = linear.getNumResults(); index < end;
           ++index)
        linear = fuseReaders(rewriter, linear, index, declined);
    for (auto &[map, reason] : declined)
      remarkDeclined(kPass, map, reason);
  }
};
} // namespace
