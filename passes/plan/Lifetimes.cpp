// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// When the memory of each value of a model function holds something needed.

#include "passes/plan/Lifetimes.h"

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
    if (isView(user)) {
      last = lastRead(user->getResult(0), last, home);
    } else if (auto loop = dyn_cast<scf::ForOp>(user)) {
      // The first iteration reads the initial value where it lies.
      BlockArgument argument = loop.getTiedLoopRegionIterArg(&use);
      last =
          std::max(last, lastRead(argument, positionOf(loop), loop.getBody()));
    } else if (isa<scf::YieldOp>(user)) {
      last = std::max(last, ends.lookup(user->getParentOp()));
    } else {
      // What a loop reads from outside it reads in every iteration.
      Operation *ancestor = home->findAncestorOpInBlock(*user);
      last = std::max(last, ancestor == user ? positionOf(user)
                                             : ends.lookup(ancestor));
    }
  }
  return last;
}

/// A carried value lives also from the start of the next iteration to its
/// last use there, and behind the loop.
void Lifetimes::addCarried(Value value,
                           SmallVectorImpl<Interval> &intervals) const {
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (isView(user))
      addCarried(user->getResult(0), intervals);
    if (!isa<scf::YieldOp>(user))
      continue;
    auto loop = cast<scf::ForOp>(user->getParentOp());
    unsigned number = use.getOperandNumber();
    int64_t begin = positionOf(loop), end = ends.lookup(loop);
    int64_t read =
        lastRead(loop.getRegionIterArg(number), begin, loop.getBody());
    intervals.push_back({begin, read, begin, end});
    intervals.push_back(
        {end, lastRead(loop.getResult(number), end, loop->getBlock()), {}});
  }
}
