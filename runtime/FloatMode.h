/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The floating-point mode that kernels run in: round to nearest, no traps,
   denormals read and written as zero. The caller's mode is put back after. */

#ifndef ATTN_RUNTIME_FLOATMODE_H
#define ATTN_RUNTIME_FLOATMODE_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

typedef uint32_t attn_float_mode;

static inline attn_float_mode attn_enter_float_mode(void) {
  const uint32_t masked = 0x1f80, denormals_are_zero = 0x0040,
                 flush_to_zero = 0x8000;
  attn_float_mode saved = _mm_getcsr();
  _mm_setcsr(masked | denormals_are_zero | flush_to_zero);
  return saved;
}

static inline void attn_leave_float_mode(attn_float_mode saved) {
  _mm_setcsr(saved);
}

#elif defined(__aarch64__)

typedef uint64_t attn_float_mode;

static inline attn_float_mode attn_enter_float_mode(void) {
  const uint64_t flush_to_zero = UINT64_C(1) << 24;
  attn_float_mode saved;
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
  __asm__ volatile("msr fpcr, %0" : : "r"(flush_to_zero) : "memory");
  return saved;
}

static inline void attn_leave_float_mode(attn_float_mode saved) {
  __asm__ volatile("msr fpcr, %0" : : "r"(saved) : "memory");
}

#endif

#endif /* ATTN_RUNTIME_FLOATMODE_H */
