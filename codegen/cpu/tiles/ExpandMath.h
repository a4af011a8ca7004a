// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementary functions as polynomials, so that generated code needs no libm.

#ifndef ATTN_CODEGEN_CPU_TILES_EXPANDMATH_H
#define ATTN_CODEGEN_CPU_TILES_EXPANDMATH_H

#include "codegen/target/TargetSpec.h"
#include "mlir/IR/Operation.h"

namespace attn::cpu {

/// Replaces every elementary function of f32 (scalars and vectors) under `root`
/// that is no instruction of the target, and every division by a constant by a
/// product. Fails, after an error on the operation, where a function has no
/// replacement. NaN propagates through all of them.
mlir::LogicalResult expandMath(mlir::Operation *root, const TargetSpec &target);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TILES_EXPANDMATH_H
