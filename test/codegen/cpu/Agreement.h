// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compares a compiled kernel with the reference evaluator on the same IR.

#ifndef ATTN_TEST_CODEGEN_CPU_AGREEMENT_H
#define ATTN_TEST_CODEGEN_CPU_AGREEMENT_H

#include "mlir/IR/MLIRContext.h"
#include "test/codegen/cpu/KernelTest.h"

namespace attn::test {

/// Makes special cases of random values.
using Change = float (*)(float);
inline float unchanged(float x) { return x; }

class Agreement : public KernelTest {
protected:
  void SetUp() override;

  /// Evaluates the function `kernel` of `text` on random arguments of these
  /// shapes, and holds the compiled kernel to the values.
  void check(const std::string &text,
             llvm::ArrayRef<llvm::SmallVector<int64_t>> shapes,
             double tolerance = 2e-6, Change change = unchanged);

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
};

} // namespace attn::test

#endif // ATTN_TEST_CODEGEN_CPU_AGREEMENT_H
