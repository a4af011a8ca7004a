// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles one kernel from text and runs it in this process, for tests and
// benchmarks.

#ifndef ATTN_TEST_CODEGEN_CPU_COMPILEDKERNEL_H
#define ATTN_TEST_CODEGEN_CPU_COMPILEDKERNEL_H

#include "codegen/target/TargetSpec.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace attn::test {

/// An operand: its address and the sizes of its dynamic dimensions.
struct Operand {
  const void *data;
  std::vector<int64_t> dynamicSizes;
};

class CompiledKernel {
public:
  /// `text` is a module with one function marked attn.kernel, named kernel.
  static llvm::Expected<CompiledKernel> compile(llvm::StringRef text,
                                                const TargetSpec &target);

  /// Runs all slots, one after the other, on arguments then results.
  void run(llvm::ArrayRef<Operand> operands, int64_t slots = 1);

  /// Runs one slot on the block that the last call of prepare() made.
  void prepare(llvm::ArrayRef<Operand> operands, int64_t slots);
  void runSlot(int64_t slot) { task(block.data(), slot); }

  size_t objectBytes() const { return bytes; }

private:
  std::unique_ptr<llvm::orc::LLJIT> jit;
  void (*task)(int64_t *, int64_t) = nullptr;
  void (*finish)(int64_t *, int64_t) = nullptr; ///< may be null
  int64_t (*scratchBytes)(int64_t *) = nullptr;
  size_t bytes = 0;
  std::vector<int64_t> block;
  std::vector<char> scratch;
};

/// A weight [n, k] as [ceil(n/16)][k][16], zeros beyond n.
std::vector<float> packPanels(llvm::ArrayRef<float> weight, int64_t n,
                              int64_t k);

} // namespace attn::test

#endif // ATTN_TEST_CODEGEN_CPU_COMPILEDKERNEL_H
