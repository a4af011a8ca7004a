/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which instruction sets this processor and operating system run. */

#include "runtime/Internal.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t read_xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

static bool has_all(uint64_t value, uint64_t bits) {
  return (value & bits) == bits;
}

/* By feature bits, never by the processor's name: hypervisors mask features
   that the name promises. */
ATTN_WEAK uint64_t attn_cpu_features(void) {
  const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28,
                 f16c = 1u << 29;
  const uint32_t avx2 = 1u << 5, bmi2 = 1u << 8;
  const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
  const uint64_t ymm_state = 0x6, zmm_state = 0xe6;

  uint32_t eax, ebx, ecx, edx, leaf1_ecx;
  if (!__get_cpuid(1, &eax, &ebx, &leaf1_ecx, &edx) ||
      !has_all(leaf1_ecx, osxsave | avx))
    return 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
    return 0;
  /* The operating system must save the registers too. */
  uint64_t xcr0 = read_xcr0();
  uint64_t features = 0;
  if (has_all(leaf1_ecx, fma | f16c) && has_all(ebx, avx2 | bmi2) &&
      has_all(xcr0, ymm_state))
    features |= ATTN_FEATURE_AVX2_FMA;
  if (features && has_all(ebx, avx512) && has_all(xcr0, zmm_state))
    features |= ATTN_FEATURE_AVX512;
  return features;
}

#elif defined(__aarch64__)

ATTN_WEAK uint64_t attn_cpu_features(void) { return ATTN_FEATURE_NEON; }

#else
#error "attnc's runtime supports x86-64 and AArch64"
#endif
