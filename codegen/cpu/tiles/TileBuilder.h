// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the emitters of all kernels build tile-level code with.
//
// Tile-level code is scf, arith, math, memref and vector ops on the kernel's
// operands in place. Vectors have kPanelWidth (16) lanes whatever the target;
// LLVM splits them into the registers it has. That, one accumulator for each
// element and the fixed tree of reduce() keep a result's bits independent of
// tiles, threads and batch.

#ifndef ATTN_CODEGEN_CPU_TILES_TILEBUILDER_H
#define ATTN_CODEGEN_CPU_TILES_TILEBUILDER_H

#include "codegen/cpu/tiles/AttnCpuOps.h"
#include "codegen/target/TargetSpec.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace attn::cpu {

using mlir::Value;
using mlir::ValueRange;

enum class Reduction { Sum, Max };

/// Builds the body of one kernel function, at its end. Index arithmetic folds
/// constants as it is built.
class TileBuilder : public mlir::ImplicitLocOpBuilder {
public:
  /// `kernel` is the outlined function on tensors; `tiles` the function of
  /// (argument block, slot) or (argument block) being filled.
  TileBuilder(mlir::func::FuncOp kernel, mlir::func::FuncOp tiles,
              const TargetSpec &target);

  const TargetSpec &target;

  //===--- Operands
  //---------------------------------------------------------===//

  /// The memory of a tensor of the kernel: of an argument, or of a returned
  /// value. Null where the tensor is neither. A packed weight has type
  /// memref<ceil(N/16) x K x 16>.
  Value memory(Value tensor) const;
  /// The memory of result `n` of the kernel.
  Value result(unsigned n) const { return results[n]; }
  /// All leading dimensions as rows: memref<a x b x n> to memref<ab x n>.
  Value asRows(Value buffer);
  Value dim(Value buffer, int64_t dimension);
  /// The number of elements.
  Value size(Value buffer);

  /// This slot; null where a function has none.
  Value slot() const { return slotIndex; }
  /// Whose scratch is meant from here on.
  void setSlot(Value slot) { slotIndex = slot; }
  Value slots();
  /// Scratch memory of this slot, `offset` bytes in.
  Value scratch(Value offset, mlir::MemRefType type, ValueRange sizes = {});

  //===--- Index arithmetic
  //-------------------------------------------------===//

  Value idx(int64_t value);
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b); ///< unsigned; b > 0
  Value rem(Value a, Value b);
  Value min(Value a, Value b);
  Value max(Value a, Value b);
  Value ceilDiv(Value a, Value b);
  Value add(Value a, int64_t b) { return add(a, idx(b)); }
  Value mul(Value a, int64_t b) { return mul(a, idx(b)); }
  Value div(Value a, int64_t b) { return div(a, idx(b)); }
  Value rem(Value a, int64_t b) { return rem(a, idx(b)); }
  Value ceilDiv(Value a, int64_t b) { return ceilDiv(a, idx(b)); }
  Value less(Value a, Value b);
  Value equal(Value a, Value b);
  Value select(Value condition, Value then, Value otherwise);

  //===--- Control
  //----------------------------------------------------------===//

  void forRange(Value lower, Value upper, Value step,
                llvm::function_ref<void(Value)> body);
  void forRange(Value upper, llvm::function_ref<void(Value)> body) {
    forRange(idx(0), upper, idx(1), body);
  }
  /// A loop that carries values; returns those after the last iteration.
  llvm::SmallVector<Value> forRange(
      Value lower, Value upper, Value step, ValueRange inits,
      llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then);
  void ifElse(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise);
  /// The vectors of float that one of the branches returns.
  llvm::SmallVector<Value>
  ifElse(Value condition, int count,
         llvm::function_ref<llvm::SmallVector<Value>()> then,
         llvm::function_ref<llvm::SmallVector<Value>()> otherwise);

  /// This slot's share [first, last) of `tasks` equal tasks, contiguous and
  /// as even as integers allow.
  std::pair<Value, Value> share(Value tasks);

  //===--- Lanes
  //------------------------------------------------------------===//

  /// Every lane of `element` (f32, i64, i1, index).
  mlir::VectorType lanes(mlir::Type element);
  mlir::VectorType lanes() { return lanes(getF32Type()); }
  Value f32(double value);   ///< a scalar constant
  Value splat(double value); ///< a constant in every lane
  Value splat(Value scalar); ///< itself where it is a vector already
  /// base, base + 1, ..., base + 15 as indices.
  Value laneIndices(Value base);
  /// The scalar `base` of a value made by laneIndices, or null.
  static Value laneBase(Value vector);
  /// Lanes below `count`, which may be above 16.
  Value laneMask(Value count);

  /// 16 elements from `indices` on along the last dimension; where `mask` is
  /// given only its lanes are touched, the others read as 0.
  Value load(Value buffer, ValueRange indices, Value mask = {});
  void store(Value vector, Value buffer, ValueRange indices, Value mask = {});
  Value loadScalar(Value buffer, ValueRange indices);
  /// The same for f32 in a buffer of panels, whatever they are stored as.
  Value loadPanel(Value panels, ValueRange indices);
  Value loadPanelScalar(Value panels, ValueRange indices);
  /// Elements of the dense `buffer` at `indices`, any of which may be vectors.
  Value gather(Value buffer, ValueRange indices, Value mask = {});

  /// body(offset, mask) for each 16 of `count` elements; mask is null but for
  /// a last, partial group.
  void forLanes(Value count, llvm::function_ref<void(Value, Value)> body);
  /// The same with carried vectors.
  llvm::SmallVector<Value> forLanes(
      Value count, ValueRange inits,
      llvm::function_ref<llvm::SmallVector<Value>(Value, Value, ValueRange)>
          body);

  /// a * b + c, rounded once where the target can.
  Value fma(Value a, Value b, Value c);
  /// The 16 lanes to one scalar by a fixed tree (8, 4, 2, 1). Max returns NaN
  /// where a lane is NaN.
  Value reduce(Value vector, Reduction kind);

private:
  Value operandAt(mlir::Value args, int64_t &word, mlir::Type type,
                  mlir::Attribute layout);
  Value widened(Value words);

  mlir::func::FuncOp kernel;
  Value args, slotIndex;
  llvm::SmallVector<Value> arguments, results;
};

/// The elements of the dense `buffer` at `indices`, any of which may be lanes:
/// a scalar load, a vector load (only the last made by laneIndices) or a
/// gather, of the lanes in `mask` where that is given.
Value readLanes(TileBuilder &b, Value buffer, llvm::ArrayRef<Value> indices,
                Value mask);

/// A pure elementwise operation on scalars or on the elements of tensors, in
/// the form that its `operands` ask for: scalars, or lanes where one of them
/// is. Null where it has no such form.
Value elementwiseLanes(TileBuilder &b, mlir::Operation &op,
                       llvm::ArrayRef<Value> operands);

/// Copies the body of a pure scalar region to where `b` stands, on lanes.
///
/// Each argument of the region's block becomes the value of the same position
/// in `arguments`: a scalar, a vector of 16 lanes, or a memref for a tensor. An
/// operation on scalars only stays scalar; one with a vector among its operands
/// becomes its vector form. tensor.extract becomes a scalar load, a vector load
/// (last index made by laneIndices) or a gather, of the lanes in `mask` where
/// that is given. `custom` may translate further operations: it returns the
/// result, or null to decline.
///
/// Returns what the terminator yields, or failure after an error that names
/// the operation with no form on lanes.
mlir::FailureOr<llvm::SmallVector<Value>> inlineLanes(
    TileBuilder &b, mlir::Region &region, ValueRange arguments, Value mask = {},
    llvm::function_ref<Value(mlir::Operation &, mlir::IRMapping &)> custom =
        {});

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TILES_TILEBUILDER_H
