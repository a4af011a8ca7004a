// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The block of 64-bit words that a model function hands to its kernels.

#ifndef ATTN_CODEGEN_CPU_KERNELABI_H
#define ATTN_CODEGEN_CPU_KERNELABI_H

#include "mlir/IR/BuiltinTypes.h"

#include <string>

namespace attn::cpu {

/// A kernel @k becomes the task `void k(void *block, int64_t slot)` and
/// `int64_t k_scratch(void *block)`, the bytes of scratch that one slot needs.
/// The block holds: the number of slots; the scratch of all slots (64-byte
/// aligned, slot s owns the bytes from s * scratch bytes); the scratch bytes of
/// a slot; then for each argument and after them each result of the kernel its
/// data pointer and its dynamic dimensions. Only dimensions and the number of
/// slots are read by k_scratch. Where a kernel has `void k_finish(void *block,
/// int64_t slot)`, it is a task that is called when every slot has run: once,
/// with slot 0.
inline constexpr int64_t kWordBytes = 8;
inline constexpr int64_t kSlotsWord = 0;
inline constexpr int64_t kScratchWord = 1;
inline constexpr int64_t kScratchBytesWord = 2;
inline constexpr int64_t kFirstOperandWord = 3;

/// Words that an argument or result of this type takes.
inline int64_t operandWords(mlir::RankedTensorType type) {
  return 1 + type.getNumDynamicDims();
}

inline std::string scratchFunctionName(llvm::StringRef kernel) {
  return (kernel + "_scratch").str();
}
inline std::string finishFunctionName(llvm::StringRef kernel) {
  return (kernel + "_finish").str();
}

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_KERNELABI_H
