// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Buffers that values share, which are never alive together.

#include "passes/plan/BufferTable.h"

using namespace mlir;
using namespace attn;

int64_t BufferTable::assign(const PlannedValue &planned) {
  int64_t chosen = choose(planned);
  if (chosen < 0) {
    chosen = buffers.size();
    buffers.push_back({planned.bytes, {}});
  }
  PlannedBuffer &buffer = buffers[chosen];
  if (!buffer.bytes.dominates(planned.bytes))
    buffer.bytes = planned.bytes;
  for (const Interval &interval : planned.intervals)
    buffer.occupied.push_back({planned.value, interval});
  return chosen;
}

/// `later` is computed in place of `earlier`, by the launch that reads it
/// last.
bool BufferTable::isOverwritten(const Occupant &earlier,
                                const Occupant &later) const {
  auto found = overwritable.find(later.memory);
  return later.interval.takesOverFrom(earlier.interval) &&
         found != overwritable.end() &&
         llvm::is_contained(found->second, earlier.memory);
}

BufferTable::Fit BufferTable::fit(const PlannedBuffer &buffer,
                                  const PlannedValue &planned) const {
  Fit fit;
  for (const Interval &interval : planned.intervals)
    for (const Occupant &other : buffer.occupied) {
      Occupant mine{planned.value, interval};
      if (!interval.overlaps(other.interval))
        continue;
      bool overwrites = isOverwritten(other, mine);
      fit.isInPlace |= overwrites;
      fit.isFree &= overwrites || isOverwritten(mine, other);
    }
  return fit;
}

int64_t BufferTable::choose(const PlannedValue &planned) const {
  const DimExpr &bytes = planned.bytes;
  int64_t best = -1;
  bool bestInPlace = false;
  auto isBetter = [&](const PlannedBuffer &buffer, bool isInPlace) {
    if (best < 0 || isInPlace != bestInPlace)
      return best < 0 || isInPlace;
    const PlannedBuffer &old = buffers[best];
    bool fits = buffer.bytes.dominates(bytes);
    if (fits != old.bytes.dominates(bytes))
      return fits;
    // The smallest that fits; else the largest, which grows least.
    return fits ? old.bytes.dominates(buffer.bytes)
                : buffer.bytes.dominates(old.bytes);
  };
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    bool comparable =
        buffer.bytes.dominates(bytes) || bytes.dominates(buffer.bytes);
    Fit fits = fit(buffer, planned);
    if (comparable && fits.isFree && isBetter(buffer, fits.isInPlace)) {
      best = i;
      bestInPlace = fits.isInPlace;
    }
  }
  return best;
}
