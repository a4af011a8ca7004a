// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What tests of kernels share: one run for each target of this machine, guard
// pages around outputs, bits compared over numbers of slots.

#ifndef ATTN_TEST_CODEGEN_CPU_KERNELTEST_H
#define ATTN_TEST_CODEGEN_CPU_KERNELTEST_H

#include "test/codegen/cpu/CompiledKernel.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace attn::test {

/// Floats that end at a page that must not be touched.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t count);
  explicit GuardedBuffer(const std::vector<float> &values);
  GuardedBuffer(const GuardedBuffer &) = delete;
  GuardedBuffer &operator=(const GuardedBuffer &) = delete;
  ~GuardedBuffer();
  float *data() const { return first; }
  size_t size() const { return count; }

private:
  size_t count, mappedBytes;
  void *mapping;
  float *first;
};

/// A result of a kernel and what it should hold.
struct Expectation {
  GuardedBuffer *buffer;
  std::vector<double> values;
};

std::vector<const TargetSpec *> targetsHere();
std::string
targetName(const ::testing::TestParamInfo<const TargetSpec *> &info);

class KernelTest : public ::testing::TestWithParam<const TargetSpec *> {
protected:
  void SetUp() override;
  void TearDown() override;

  std::vector<float> normal(int64_t count, float deviation = 1.0f);
  CompiledKernel compile(const std::string &text);
  /// Runs with 1 to 4 slots: results are within `tolerance` (absolute, and
  /// relative to 1e-5) of the expectation and their bits never differ.
  void check(const std::string &text, llvm::ArrayRef<Operand> operands,
             const std::vector<Expectation> &results, double tolerance);

  std::mt19937 random{7};
  unsigned savedFloatMode = 0;
};

/// (x - mean) / sqrt(variance + eps) * scale + shift in double.
std::vector<double> layerNorm(llvm::ArrayRef<float> x,
                              llvm::ArrayRef<float> scale,
                              llvm::ArrayRef<float> shift, double eps);

} // namespace attn::test

#endif // ATTN_TEST_CODEGEN_CPU_KERNELTEST_H
