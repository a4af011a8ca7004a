/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Picks the instruction set of the image kernels. */

#include "runtime/image/Kernels.h"

#define DECLARE(ISA)                                                           \
  int attn_image_weights_##ISA(int32_t, int32_t, int32_t, int32_t,             \
                               halide_buffer_t *, halide_buffer_t *);          \
  int attn_image_rows_##ISA(halide_buffer_t *, halide_buffer_t *,              \
                            halide_buffer_t *, halide_buffer_t *);             \
  int attn_image_columns_##ISA(halide_buffer_t *, halide_buffer_t *,           \
                               halide_buffer_t *, halide_buffer_t *);          \
  int attn_image_normalise_##ISA(halide_buffer_t *, double, halide_buffer_t *, \
                                 halide_buffer_t *, halide_buffer_t *);        \
  static const attn_image_kernels kernels_##ISA = {                            \
      attn_image_weights_##ISA, attn_image_rows_##ISA,                         \
      attn_image_columns_##ISA, attn_image_normalise_##ISA};

#ifdef __x86_64__

DECLARE(sse2)
DECLARE(avx2)

const attn_image_kernels *attn_image_select_kernels(void) {
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &kernels_avx2;
  return &kernels_sse2;
}

#else

DECLARE(neon)

const attn_image_kernels *attn_image_select_kernels(void) {
  return &kernels_neon;
}

#endif
