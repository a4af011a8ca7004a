// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The dialect of tile-level code.

#ifndef ATTN_CODEGEN_CPU_TILES_ATTNCPUOPS_H
#define ATTN_CODEGEN_CPU_TILES_ATTNCPUOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "codegen/cpu/AttnCpuDialect.h.inc"

#define GET_OP_CLASSES
#include "codegen/cpu/AttnCpuOps.h.inc"

namespace attn::cpu {

/// Words of an argument block before the first operand.
inline constexpr int64_t kHeaderWords = 3;

/// Marks a function whose body is tile-level code.
inline constexpr llvm::StringLiteral kTilesAttr = "attn_cpu.tiles";

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TILES_ATTNCPUOPS_H
