// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Buffers that values share, which are never alive together.

#ifndef ATTN_PASSES_PLAN_BUFFERTABLE_H
#define ATTN_PASSES_PLAN_BUFFERTABLE_H

#include "passes/plan/DimExpr.h"
#include "passes/plan/Lifetimes.h"

namespace attn {

/// A value's memory over one interval.
struct Occupant {
  mlir::Value memory;
  Interval interval;
};

struct PlannedBuffer {
  DimExpr bytes;
  llvm::SmallVector<Occupant> occupied;
};

/// A value that wants memory.
struct PlannedValue {
  mlir::Value value;
  DimExpr bytes;
  llvm::SmallVector<Interval> intervals;
};

/// Which values may be written over which.
using Overwritable =
    llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>>;

/// Assigns buffers first come, first served, preferring the one of an operand
/// that may be overwritten, then one that is large enough already, then one
/// that can grow.
class BufferTable {
public:
  /// `overwritable` outlives the table.
  explicit BufferTable(const Overwritable &overwritable)
      : overwritable(overwritable) {}

  /// The number of the value's buffer.
  int64_t assign(const PlannedValue &planned);
  llvm::ArrayRef<PlannedBuffer> get() const { return buffers; }

private:
  bool isOverwritten(const Occupant &earlier, const Occupant &later) const;
  /// Whether a value can be in a buffer, and whether it is there in place of an
  /// operand.
  struct Fit {
    bool isFree = true, isInPlace = false;
  };
  Fit fit(const PlannedBuffer &buffer, const PlannedValue &planned) const;
  int64_t choose(const PlannedValue &planned) const;

  const Overwritable &overwritable;
  llvm::SmallVector<PlannedBuffer> buffers;
};

} // namespace attn

#endif // ATTN_PASSES_PLAN_BUFFERTABLE_H
