// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Guard pages, reference norms and comparisons for tests of kernels.

#include "test/codegen/cpu/KernelTest.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace attn;
using namespace attn::test;

GuardedBuffer::GuardedBuffer(size_t count) : count(count) {
  size_t page = sysconf(_SC_PAGESIZE), bytes = count * sizeof(float);
  size_t usable = (bytes + page - 1) / page * page;
  mappedBytes = usable + 2 * page;
  mapping = mmap(nullptr, mappedBytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *start = static_cast<char *>(mapping);
  mprotect(start, page, PROT_NONE);
  mprotect(start + page + usable, page, PROT_NONE);
  first = reinterpret_cast<float *>(start + page + usable - bytes);
}

GuardedBuffer::GuardedBuffer(const std::vector<float> &values)
    : GuardedBuffer(values.size()) {
  std::copy(values.begin(), values.end(), first);
}

GuardedBuffer::~GuardedBuffer() { munmap(mapping, mappedBytes); }

std::vector<const TargetSpec *> attn::test::targetsHere() {
  std::vector<const TargetSpec *> targets;
  for (const TargetSpec &target : allTargets())
    if (runsHere(target))
      targets.push_back(&target);
  return targets;
}

std::string attn::test::targetName(
    const ::testing::TestParamInfo<const TargetSpec *> &info) {
  return info.param->isa.str();
}

// Kernels run with denormals as zero; see runtime/FloatMode.h.
void KernelTest::SetUp() {
#if defined(__x86_64__)
  savedFloatMode = _mm_getcsr();
  _mm_setcsr(savedFloatMode | 0x8040);
#endif
}

void KernelTest::TearDown() {
#if defined(__x86_64__)
  _mm_setcsr(savedFloatMode);
#endif
}

std::vector<float> KernelTest::normal(int64_t count, float deviation) {
  std::normal_distribution<float> distribution(0.0f, deviation);
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(random);
  return values;
}

CompiledKernel KernelTest::compile(const std::string &text) {
  auto kernel = CompiledKernel::compile(text, *GetParam());
  if (!kernel) {
    ADD_FAILURE() << llvm::toString(kernel.takeError());
    std::abort();
  }
  return std::move(*kernel);
}

static void compare(const Expectation &expected, double tolerance) {
  for (size_t i = 0; i < expected.values.size(); ++i) {
    double want = expected.values[i], got = expected.buffer->data()[i];
    if (!(std::abs(got - want) <= tolerance + 1e-5 * std::abs(want))) {
      ADD_FAILURE() << "element " << i << " is " << got << ", expected "
                    << want;
      return;
    }
  }
}

void KernelTest::check(const std::string &text,
                       llvm::ArrayRef<Operand> operands,
                       const std::vector<Expectation> &results,
                       double tolerance) {
  CompiledKernel kernel = compile(text);
  std::vector<std::vector<float>> first;
  for (int64_t slots = 1; slots <= 4; ++slots) {
    for (const Expectation &result : results)
      std::fill_n(result.buffer->data(), result.buffer->size(), NAN);
    kernel.run(operands, slots);
    for (size_t i = 0; i < results.size(); ++i) {
      const GuardedBuffer &buffer = *results[i].buffer;
      if (slots == 1) {
        compare(results[i], tolerance);
        first.emplace_back(buffer.data(), buffer.data() + buffer.size());
      }
      EXPECT_TRUE(first[i].empty() ||
                  std::memcmp(first[i].data(), buffer.data(),
                              buffer.size() * sizeof(float)) == 0)
          << "result " << i << " differs with " << slots << " slots";
    }
  }
}

std::vector<double> attn::test::layerNorm(llvm::ArrayRef<float> x,
                                          llvm::ArrayRef<float> scale,
                                          llvm::ArrayRef<float> shift,
                                          double eps) {
  double mean = 0, variance = 0;
  for (float value : x)
    mean += value / double(x.size());
  for (float value : x)
    variance += (value - mean) * (value - mean) / x.size();
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i)
    y.push_back((x[i] - mean) / std::sqrt(variance + eps) * scale[i] +
                shift[i]);
  return y;
}
