// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One emitter for each kind of kernel: what turns its operation into tiles.

#ifndef ATTN_CODEGEN_CPU_KERNELS_KERNELEMITTER_H
#define ATTN_CODEGEN_CPU_KERNELS_KERNELEMITTER_H

#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

/// A schedule for one kind of kernel. Emitters hold no state; they are listed
/// in ScheduleKernels.cpp.
struct KernelEmitter {
  /// The operation that makes a kernel of this kind, or null if it is another.
  mlir::Operation *(*match)(mlir::func::FuncOp kernel);
  /// Bytes of scratch that one slot needs, from the sizes of the operands; null
  /// where the kernel needs none. `b` fills the scratch function: no slot
  /// there. Returns null after an error.
  Value (*scratchBytes)(TileBuilder &b, mlir::Operation *op);
  /// Builds the work of `b.slot()`. Emits an error where it fails.
  mlir::LogicalResult (*emit)(TileBuilder &b, mlir::Operation *op);
  /// Whether something is left when every slot has run; null for never.
  bool (*isLeft)(mlir::Operation *op) = nullptr;
  /// Builds that: for slot 0, with the scratch of all.
  mlir::LogicalResult (*finish)(TileBuilder &b, mlir::Operation *op) = nullptr;
};

/// The first operation of type Op in the kernel's body, or null.
template <typename Op> mlir::Operation *matchOp(mlir::func::FuncOp kernel) {
  auto ops = kernel.getBody().front().getOps<Op>();
  return ops.empty() ? nullptr : (*ops.begin()).getOperation();
}

extern const KernelEmitter appendEmitter;
extern const KernelEmitter attentionEmitter;
extern const KernelEmitter concatEmitter;
extern const KernelEmitter embeddingEmitter;
extern const KernelEmitter layerNormEmitter;
extern const KernelEmitter linearEmitter;
extern const KernelEmitter mapEmitter;
extern const KernelEmitter matmulEmitter;
extern const KernelEmitter rmsNormEmitter;
extern const KernelEmitter sliceEmitter;
extern const KernelEmitter softmaxEmitter;
extern const KernelEmitter tokenRowsEmitter;

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_KERNELS_KERNELEMITTER_H
