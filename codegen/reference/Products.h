// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The inner loops of the reference evaluator: matrix products in double.

#ifndef ATTN_CODEGEN_REFERENCE_PRODUCTS_H
#define ATTN_CODEGEN_REFERENCE_PRODUCTS_H

#include <cstdint>

namespace attn::reference {

/// Equivalent to: y[r * columns + c] = sum_k x[r * depth + k] * w[c * depth +
/// k] for all rows and columns, on up to `threads` threads. The number of
/// threads does not change a bit of the result.
void multiplyTransposed(const double *x, const double *w, double *y,
                        int64_t rows, int64_t columns, int64_t depth,
                        unsigned threads);

/// sum_k a[k] * b[k]
double dot(const double *a, const double *b, int64_t count);

/// Equivalent to: y[k] += a * x[k] for all k.
void addScaled(double a, const double *x, double *y, int64_t count);

} // namespace attn::reference

#endif // ATTN_CODEGEN_REFERENCE_PRODUCTS_H
