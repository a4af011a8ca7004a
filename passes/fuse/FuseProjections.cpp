// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// linear(x, w1), linear(x, w2) => linear(x, w1, w2).

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_FUSEPROJECTIONS
#include "passes/Passes.h.inc"
} // namespace attn

static constexpr StringLiteral kPass = "attn-fuse-projections";

/// True where the op only renames, moves or maps elements, so that a
/// projection read by it is still waiting to be multiplied or reduced.
static bool keepsProjection(Operation *op) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return generic.getNumReductionLoops() == 0;
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             tensor::ExtractSliceOp, tensor::ConcatOp, linalg::TransposeOp>(op);
}

/// True where, before `later`, something was already made of `earlier` by a
/// product, a norm or another reduction.
static bool isConsumedBefore(LinearOp earlier, Operation *later) {
  SetVector<Operation *> reached;
  reached.insert(earlier);
  for (unsigned next = 0; next < reached.size(); ++next)
    for (Operation *user : reached[next]->getUsers()) {
      if (user->getBlock() != later->getBlock() ||
          !user->isBeforeInBlock(later))
        continue;
      if (!keepsProjection(user))
        return true;
      reached.insert(user);
    }
  return false;
}

/// Linears of one input that can become one, in program order.
using Group = SmallVector<LinearOp>;

/// Splits the linears of one input into groups.
static SmallVector<Group> groupProjections(ArrayRef<LinearOp> linears) {
  SmallVector<Group> groups;
  for (LinearOp linear : linears) {
    auto isOpen = [&](LinearOp member) {
      return !isConsumedBefore(member, linear);
    };
    if (!groups.empty() && llvm::all_of(groups.back(), isOpen)) {
      groups.back().push_back(linear);
      continue;
    }
    if (!groups.empty())
      remarkDeclined(kPass, linear,
                     "the other projections of its input are used before it");
    groups.push_back({linear});
  }
  return groups;
}

/// Moves the weights and captures of the group's later linears before its
/// first one, and drops, with a remark, the linears where that cannot be.
static void gatherOperands(RewriterBase &rewriter, Group &group) {
  LinearOp first = group.front();
  llvm::erase_if(group, [&](LinearOp linear) {
    if (linear == first ||
        succeeded(moveOperationDependencies(rewriter, linear, first)))
      return false;
    remarkDeclined(kPass, linear,
                   "an operand depends on another projection of its input");
    return true;
  });
}

namespace {
/// The captures of all members, each tensor and map once.
struct Captures {
  SmallVector<Value> values;
  SmallVector<Attribute> maps;

  unsigned add(Value value, Attribute map) {
    for (auto [index, known, knownMap] : llvm::enumerate(values, maps))
      if (known == value && knownMap == map)
        return index;
    values.push_back(value);
    maps.push_back(map);
    return values.size() - 1;
  }
};
} // namespace

static Captures collectCaptures(ArrayRef<LinearOp> group) {
  Captures captures;
  for (LinearOp linear : group)
    if (!linear.getCaptures().empty())
      for (auto [value, map] : llvm::zip_equal(
               linear.getCaptures(), linear.getCaptureMapsAttr().getValue()))
        captures.add(value, map);
  return captures;
}

/// Writes epilogue `index` of `from` into `into`, a block that has an
/// accumulator and all captures of the group as arguments.
static void cloneEpilogue(OpBuilder &builder, LinearOp from, unsigned index,
                          Captures &captures, Block &into) {
  builder.setInsertionPointToStart(&into);
  if (from.getEpilogues().empty()) {
    YieldOp::create(builder, from.getLoc(), into.getArgument(0));
    return;
  }
  Block &body = from.getEpilogues()[index].front();
  IRMapping mapping;
  mapping.map(body.getArgument(0), into.getArgument(0));
  for (auto [position, capture] : llvm::enumerate(from.getCaptures())) {
    unsigned at = captures.add(capture, from.getCaptureMapsAttr()[position]);
    mapping.map(body.getArgument(position + 1), into.getArgument(at + 1));
  }
  for (Operation &op : body)
    builder.clone(op, mapping);
}

/// One linear in place of the group's.
static void fuseGroup(RewriterBase &rewriter, ArrayRef<LinearOp> group) {
  LinearOp first = group.front();
  SmallVector<Value> weights;
  SmallVector<Type> types;
  SmallVector<Location> locations;
  bool hasEpilogue = false;
  for (LinearOp linear : group) {
    llvm::append_range(weights, linear.getWeights());
    llvm::append_range(types, linear.getResultTypes());
    locations.push_back(linear.getLoc());
    hasEpilogue |= !linear.getEpilogues().empty();
  }
  Captures captures = collectCaptures(group);

  rewriter.setInsertionPoint(first);
  Location loc = rewriter.getFusedLoc(locations);
  auto fused = LinearOp::create(rewriter, loc, types, first.getInput(), weights,
                                captures.values, ValueRange{},
                                captures.maps.empty()
                                    ? ArrayAttr()
                                    : rewriter.getArrayAttr(captures.maps),
                                hasEpilogue ? weights.size() : 0);

  unsigned result = 0;
  for (LinearOp linear : group) {
    for (unsigned index = 0; index < linear.getNumResults(); ++index) {
      if (hasEpilogue) {
        SmallVector<Type> arguments{rewriter.getF32Type()};
        for (Value capture : captures.values)
          arguments.push_back(getElementTypeOrSelf(capture));
        SmallVector<Location> places(arguments.size(), linear.getLoc());
        Block *block = rewriter.createBlock(
            &fused.getEpilogues()[result + index], {}, arguments, places);
        cloneEpilogue(rewriter, linear, index, captures, *block);
      }
      rewriter.replaceAllUsesWith(linear.getResult(index),
                                  fused.getResult(result + index));
    }
    result += linear.getNumResults();
  }
  remarkDone(kPass, fused,
             Twine(group.size()) + " projections of one input made one");
  for (LinearOp linear : group)
    rewriter.eraseOp(linear);
}

namespace {
struct FuseProjections : attn::impl::FuseProjectionsBase<FuseProjections> {
  void runOnOperation() override {
    llvm::MapVector<std::pair<Value, Block *>, Group> readers;
    getOperation().walk([&](LinearOp linear) {
      readers[{linear.getInput(), linear->getBlock()}].push_back(linear);
    });

    IRRewriter rewriter(&getContext());
    for (auto &[key, linears] : readers) {
      if (linears.size() < 2)
        continue;
      declinePrologues(linears);
      for (Group &group : groupProjections(linears)) {
        gatherOperands(rewriter, group);
        if (group.size() > 1)
          fuseGroup(rewriter, group);
      }
    }
  }

  static void declinePrologues(Group &linears) {
    llvm::erase_if(linears, [](LinearOp linear) {
      if (linear.getPrologue().empty())
        return false;
      remarkDeclined(kPass, linear, "it has a prologue of its own");
      return true;
    });
  }
};
} // namespace
