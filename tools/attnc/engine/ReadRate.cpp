// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops that read memory as streams side by side.

#include "tools/attnc/engine/ReadRate.h"

#include "tools/attnc/engine/Clock.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>

using namespace llvm;
using namespace attn::tool;

namespace {

/// Far more than a last-level cache holds.
constexpr size_t kBytes = size_t(512) << 20;
constexpr size_t kFloats = kBytes / sizeof(float);
constexpr size_t kLine = 16;

using Lanes = float __attribute__((vector_size(16)));

struct Reading {
  const float *memory;
  size_t slots;
  int streams;
};

/// Keeps sums that nobody reads from being left out.
volatile float sink;

/// attn_task of a Reading: this slot's part of the memory.
void readPart(void *argument, size_t slot) {
  const auto &reading = *static_cast<const Reading *>(argument);
  size_t stream = kFloats / reading.slots / reading.streams / kLine * kLine;
  const float *begin = reading.memory + slot * stream * reading.streams;
  Lanes sums[4] = {};
  for (size_t i = 0; i < stream; i += kLine)
    for (int s = 0; s < reading.streams; ++s)
      for (size_t lane = 0; lane < kLine; lane += 4)
        sums[lane / 4] +=
            *reinterpret_cast<const Lanes *>(begin + s * stream + i + lane);
  sink = (sums[0] + sums[1] + sums[2] + sums[3])[0];
}

} // namespace

Expected<std::unique_ptr<ReadRate>>
ReadRate::open(const attn_executor *executor) {
  std::unique_ptr<ReadRate> rate(new ReadRate);
  rate->executor = executor;
  void *memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return createStringError(inconvertibleErrorCode(),
                             "cannot allocate %zu bytes to measure memory "
                             "with: %s",
                             kBytes, std::strerror(errno));
#ifdef MADV_HUGEPAGE
  (void)::madvise(memory, kBytes, MADV_HUGEPAGE);
#endif
  // Pages that were never written all lie in one place.
  std::fill_n(static_cast<float *>(memory), kFloats, 1.0f);
  rate->memory = static_cast<const float *>(memory);
  return std::move(rate);
}

ReadRate::~ReadRate() {
  if (memory)
    ::munmap(const_cast<float *>(memory), kBytes);
}

double ReadRate::measure(int streams) const {
  Reading reading{memory, executor ? executor->slots : 1, streams};
  double start = secondsNow();
  if (executor)
    executor->run(executor->context, reading.slots, readPart, &reading);
  else
    readPart(&reading, 0);
  return kBytes / (secondsNow() - start);
}

double ReadRate::measure() const {
  return std::max({measure(1), measure(2), measure(4)});
}
