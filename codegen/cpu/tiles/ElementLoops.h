// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops over the elements of tensors, 16 lanes at a time where the result is
// contiguous: the schedule of maps, reductions, transposes and copies.

#ifndef ATTN_CODEGEN_CPU_TILES_ELEMENTLOOPS_H
#define ATTN_CODEGEN_CPU_TILES_ELEMENTLOOPS_H

#include "codegen/cpu/tiles/TileBuilder.h"
#include "mlir/IR/AffineMap.h"

namespace attn::cpu {

/// How a loop nest walks one tensor.
struct Access {
  struct Step {
    Value stride;     ///< in elements; null where the loop does not move it
    bool isUnit;      ///< the stride is 1
    bool joinsBefore; ///< with the loop before it is one longer loop
  };
  Value buffer;                  ///< flat: memref<?xT>
  Value start;                   ///< the first element, in elements
  llvm::SmallVector<Step> steps; ///< one for each loop
};

/// All elements of a dense buffer as memref<nxT>.
Value flatten(TileBuilder &b, Value buffer);

/// The access of `buffer` through `map` from `loops` loops, whose results are
/// loops (each at most once) and constants; `offsets` are added to the
/// coordinates where given. Only whole dimensions may be joined: `whole[d]`
/// says so, and absent means all are. Fails on other maps.
mlir::FailureOr<Access> accessThrough(TileBuilder &b, Value buffer,
                                      mlir::AffineMap map,
                                      llvm::ArrayRef<int64_t> offsets = {},
                                      llvm::ArrayRef<bool> whole = {});

/// A loop nest: its sizes, which loops reduce, and what it reads and writes.
struct ElementLoops {
  /// The position of loop `loop`, a scalar or a vector of lanes.
  using Position = llvm::function_ref<Value(unsigned loop)>;
  /// The new elements of the outputs from those of the inputs and, for a
  /// reduction, the accumulators (as many as outputs; else empty). Values are
  /// scalars or vectors of lanes; `mask` is null for all lanes.
  using Body = llvm::function_ref<mlir::FailureOr<llvm::SmallVector<Value>>(
      llvm::ArrayRef<Value> inputs, ValueRange accumulators, Position position,
      Value mask)>;

  llvm::SmallVector<Value> sizes;
  llvm::SmallVector<bool> reduces;
  llvm::SmallVector<Access> inputs, outputs;
  /// The accumulators' first values, scalars, one for each output; or empty
  /// where nothing reads them.
  llvm::SmallVector<Value> initial;
  /// Whether the body asks for positions: then no loops are joined.
  bool usesPositions = false;

  /// Builds this slot's share. Each element has one accumulator, and reductions
  /// run in ascending order, so no split changes a bit of the result.
  mlir::LogicalResult emit(TileBuilder &b, Body body);
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TILES_ELEMENTLOOPS_H
