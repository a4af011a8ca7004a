// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// When the memory of each value of a model function holds something needed.

#include "passes/plan/Lifetimes.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/ModelFunctions.h"

using namespace mlir;
using namespace attn;

/// True where `outer` ends within the first iteration of the loop that carries
/// `inner`: when the second begins, it is over.
static bool endsBeforeCarried(const Interval &outer, const Interval &inner) {
  return inner.carriedBy && outer.first < *inner.carriedBy &&
         outer.last < inner.carriedUntil;
}

bool Interval::overlaps(const Interval &other) const {
  return first <= other.last && other.first <= last &&
         !endsBeforeCarried(*this, other) && !endsBeforeCarried(other, *this);
}

Lifetimes::Lifetimes(func::FuncOp func) { number(func.getBody().front()); }

void Lifetimes::number(Block &block) {
  for (Operation &op : block) {
    positions[&op] = next++;
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        number(inner);
    ends[&op] = next++;
  }
}

SmallVector<Interval> Lifetimes::of(Value result) const {
  Operation *launch = result.getDefiningOp();
  int64_t first = positionOf(launch);
  SmallVector<Interval> intervals{
      {first, lastRead(result, first, launch->getBlock()), {}}};
  addCarried(result, intervals);
  return intervals;
}

int64_t Lifetimes::lastRead(Value value, int64_t last, Block *home) const {
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    Operation *ancestor = home->findAncestorOpInBlock(*user);
    if (ancestor != user) {
      // What a loop reads from outside it reads in every iteration.
      last = std::max(last, ends.lookup(ancestor));
    } else if (isView(user)) {
      last = lastRead(user->getResult(0), last, home);
    } else if (auto loop = dyn_cast<LoopLikeOpInterface>(user)) {
      last = std::max(last, lastReadBy(loop, use));
    } else if (isa<scf::YieldOp, YieldOp>(user)) {
      last = std::max(last, ends.lookup(user->getParentOp()));
    } else {
      last = std::max(last, positionOf(user));
    }
  }
  return last;
}

/// The last read of an operand of a loop.
int64_t Lifetimes::lastReadBy(LoopLikeOpInterface loop, OpOperand &use) const {
  BlockArgument argument = loop.getTiedLoopRegionIterArg(&use);
  // What a scan goes over it reads until its last step.
  if (!argument)
    return ends.lookup(loop);
  // The first iteration reads the initial value where it lies.
  int64_t last = lastRead(argument, positionOf(loop), argument.getOwner());
  if (!isa<ScanOp>(loop.getOperation()))
    return last;
  // Without any step it is also the result.
  return std::max(last, lastRead(loop.getTiedLoopResult(&use),
                                 ends.lookup(loop), loop->getBlock()));
}

/// The loop that carries the yielded value of `use` on, and what it is called
/// in the next iteration and behind the loop; null where none does.
static LoopLikeOpInterface findCarrier(OpOperand &use, BlockArgument &next,
                                       OpResult &behind) {
  Operation *user = use.getOwner();
  auto loop = isa<scf::YieldOp, YieldOp>(user)
                  ? dyn_cast<LoopLikeOpInterface>(user->getParentOp())
                  : LoopLikeOpInterface();
  unsigned number = use.getOperandNumber();
  if (!loop || number >= loop.getRegionIterArgs().size())
    return {};
  next = loop.getRegionIterArgs()[number];
  behind = loop.getTiedLoopResult(next);
  return loop;
}

/// A carried value lives also from the start of the next iteration to its
/// last use there, and behind the loop.
void Lifetimes::addCarried(Value value,
                           SmallVectorImpl<Interval> &intervals) const {
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (isView(user))
      addCarried(user->getResult(0), intervals);
    BlockArgument next;
    OpResult behind;
    LoopLikeOpInterface loop = findCarrier(use, next, behind);
    if (!loop)
      continue;
    int64_t begin = positionOf(loop), end = ends.lookup(loop);
    int64_t read = lastRead(next, begin, next.getOwner());
    intervals.push_back({begin, read, begin, end});
    intervals.push_back({end, lastRead(behind, end, loop->getBlock()), {}});
  }
}

/// The last read, behind the loop that carries it, of a value.
int64_t Lifetimes::lastCarriedRead(Value value, int64_t last) const {
  for (OpOperand &use : value.getUses()) {
    BlockArgument next;
    OpResult behind;
    if (isView(use.getOwner()))
      last = lastCarriedRead(use.getOwner()->getResult(0), last);
    else if (findCarrier(use, next, behind))
      last = lastRead(behind, last, behind.getOwner()->getBlock());
  }
  return last;
}

Interval Lifetimes::ofStacked(OpResult result, Value entry) const {
  Operation *scan = result.getOwner();
  int64_t last = lastRead(result, ends.lookup(scan), scan->getBlock());
  return {positionOf(scan), lastCarriedRead(entry, last), {}};
}
