// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functions that arith, math and gelu apply to each element.

#ifndef ATTN_CODEGEN_REFERENCE_SCALARFUNCTIONS_H
#define ATTN_CODEGEN_REFERENCE_SCALARFUNCTIONS_H

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cstdint>
#include <optional>

namespace attn::reference {

using FloatUnary = double (*)(double);
using FloatBinary = double (*)(double, double);
/// Without a value where the operation has none: a division by zero or one
/// that overflows.
using IntBinary = std::optional<int64_t> (*)(int64_t, int64_t);

/// The function of an operation, null where it is of another kind.
FloatUnary floatUnary(mlir::Operation &op);
FloatBinary floatBinary(mlir::Operation &op);
IntBinary intBinary(mlir::Operation &op);

/// NaN if either is NaN.
double maximum(double a, double b);
double minimum(double a, double b);

bool compare(mlir::arith::CmpFPredicate predicate, double a, double b);
/// Of sign-extended values; sign extension keeps the unsigned order.
bool compare(mlir::arith::CmpIPredicate predicate, int64_t a, int64_t b);

} // namespace attn::reference

#endif // ATTN_CODEGEN_REFERENCE_SCALARFUNCTIONS_H
