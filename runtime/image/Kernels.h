/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The functions that codegen/halide compiles ahead of time; ImagePipelines.h
   says what they compute. They check nothing and allocate nothing. */

#ifndef ATTN_RUNTIME_IMAGE_KERNELS_H
#define ATTN_RUNTIME_IMAGE_KERNELS_H

#include <HalideRuntime.h>
#include <stdint.h>

typedef struct attn_image_kernels {
  int (*weights)(int32_t filter, int32_t in_size, int32_t out_size,
                 int32_t taps, halide_buffer_t *first,
                 halide_buffer_t *weights);
  int (*rows)(halide_buffer_t *in, halide_buffer_t *first,
              halide_buffer_t *weights, halide_buffer_t *out);
  int (*columns)(halide_buffer_t *in, halide_buffer_t *first,
                 halide_buffer_t *weights, halide_buffer_t *out);
  int (*normalise)(halide_buffer_t *in, double rescale, halide_buffer_t *mean,
                   halide_buffer_t *std, halide_buffer_t *out);
} attn_image_kernels;

/* A view of memory for a kernel; `dims` must outlive it. */
static inline halide_buffer_t attn_image_view(const void *data, int type,
                                              uint8_t bits, int32_t rank,
                                              halide_dimension_t *dims) {
  return (halide_buffer_t){.host = (uint8_t *)data,
                           .type = {(uint8_t)type, bits, 1},
                           .dimensions = rank,
                           .dim = dims};
}

/* The best ones for this processor. */
const attn_image_kernels *attn_image_select_kernels(void);

#endif /* ATTN_RUNTIME_IMAGE_KERNELS_H */
