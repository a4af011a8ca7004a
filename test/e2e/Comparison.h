// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whether tensors are the expected ones, within a tolerance.

#ifndef ATTN_TEST_E2E_COMPARISON_H
#define ATTN_TEST_E2E_COMPARISON_H

#include "frontend/weights/Tensor.h"

namespace attn::test {

/// An element passes when |actual - expected| <= atol + rtol * |expected|.
struct Tolerance {
  double rtol = 0;
  double atol = 0;
};

/// The `tolerance` of a golden case's case.json.
llvm::Expected<Tolerance> readTolerance(llvm::StringRef casePath);

/// The element that is farthest from what is expected.
struct Comparison {
  uint64_t index = 0; ///< In row-major order.
  double actual = 0;
  double expected = 0;
  /// |actual - expected| / (atol + rtol * |expected|): 0 where they are equal,
  /// infinite where one of them is NaN or the tolerance is 0. Passes up to 1.
  double errorOverTolerance = 0;

  bool passes() const { return errorOverTolerance <= 1; }
};

/// Compares tensors of equal shape, both of floating point numbers or both of
/// integers. Integers must be equal, whatever the tolerance.
llvm::Expected<Comparison> compare(const weights::Tensor &actual,
                                   const weights::Tensor &expected,
                                   Tolerance tolerance);

/// The same type, shape and bytes; the error tells the first that differs.
llvm::Error compareBits(const weights::Tensor &actual,
                        const weights::Tensor &expected);

/// `[1, 3]` for an element's place in row-major order.
std::string placeText(llvm::ArrayRef<int64_t> shape, uint64_t index);

} // namespace attn::test

#endif
