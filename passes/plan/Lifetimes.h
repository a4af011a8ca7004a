// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// When the memory of each value of a model function holds something needed.

#ifndef ATTN_PASSES_PLAN_LIFETIMES_H
#define ATTN_PASSES_PLAN_LIFETIMES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace attn {

/// Positions [first, last] of a function, both included. A launch reads and
/// writes at one position.
struct Interval {
  int64_t first, last;
  /// The position of the loop from whose second iteration on this holds: the
  /// interval of a carried value.
  std::optional<int64_t> carriedBy;
  int64_t carriedUntil = 0;

  /// True where both hold at once at some position.
  bool overlaps(const Interval &other) const;
  /// True where they meet at the one position at which `other` ends and this
  /// begins.
  bool takesOverFrom(const Interval &other) const {
    return first == other.last;
  }
};

/// The intervals of a model function of launches, reshapes, scans, and loops
/// that run at least once. Positions number operations in program order.
class Lifetimes {
public:
  explicit Lifetimes(mlir::func::FuncOp func);

  /// When the memory of a result of a launch is in use.
  llvm::SmallVector<Interval> of(mlir::Value result) const;

  /// The same of a stacked result of a scan. `entry` is what the body computes
  /// in its place: the carried values that are in it too live as long.
  Interval ofStacked(mlir::OpResult result, mlir::Value entry) const;

  /// Last position at which a value that is there from `last` on, or a view of
  /// it, is read. `home` is the block that defines it.
  int64_t lastRead(mlir::Value value, int64_t last, mlir::Block *home) const;

  int64_t positionOf(mlir::Operation *op) const { return positions.lookup(op); }

private:
  void number(mlir::Block &block);
  int64_t lastReadBy(mlir::LoopLikeOpInterface loop,
                     mlir::OpOperand &use) const;
  int64_t lastCarriedRead(mlir::Value value, int64_t last) const;
  void addCarried(mlir::Value value,
                  llvm::SmallVectorImpl<Interval> &intervals) const;

  llvm::DenseMap<mlir::Operation *, int64_t> positions, ends;
  int64_t next = 0;
};

} // namespace attn

#endif // ATTN_PASSES_PLAN_LIFETIMES_H
