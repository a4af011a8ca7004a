/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What generated code and the runtime know of each other. Programs that embed
   a model include its own header and attn/attn.h instead. */

#ifndef ATTN_ABI_H
#define ATTN_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "attn/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every incompatible change of the structures below. */
#define ATTN_ABI_VERSION 1

/* A dynamic dimension: its name and the sizes it may have. */
typedef struct attn_dim_info {
  const char *name;
  int64_t min, max;
} attn_dim_info;

/* An input or output tensor, dense and row-major. shape[i] >= 0 is a static
   size; shape[i] == -1 - d is dynamic dimension d of the program. For integer
   inputs with bound > 0 every element must lie in [0, bound). */
typedef struct attn_tensor_info {
  const char *name;
  int32_t dtype; /* attn_dtype */
  int32_t rank;
  const int64_t *shape;
  int64_t bound;
} attn_tensor_info;

/* Everything one run needs; passed to attn_variant.body. */
typedef struct attn_frame {
  const int64_t *dims;    /* one for each dynamic dimension */
  const int64_t *offsets; /* of the planned buffers in the workspace, bytes */
  const void *const *inputs;
  void *const *outputs;
  const char *weights; /* first byte of the weights file's data */
  char *workspace;     /* 64-byte aligned */
  const attn_executor *executor; /* never NULL */
} attn_frame;

/* Instruction set features a variant needs, as bits. */
enum {
  ATTN_FEATURE_AVX2_FMA = 1u << 0, /* AVX2, FMA, F16C and BMI2 */
  ATTN_FEATURE_AVX512 = 1u << 1,   /* AVX-512 F, CD, BW, DQ, VL */
  ATTN_FEATURE_NEON = 1u << 2
};

/* The code of a program for one instruction set. */
typedef struct attn_variant {
  const char *isa; /* "avx2", "avx512", "sse2", "neon" */
  uint64_t features;
  /* Writes program->buffer_count + 2 offsets: of each buffer, then of the
     slots' scratch, then the bytes of scratch for one slot. Returns the bytes of
     workspace for `slots` slots, or -1 on overflow. */
  int64_t (*plan)(const int64_t *dims, int64_t slots, int64_t *offsets);
  /* Returns an attn_status. */
  int32_t (*body)(const attn_frame *frame);
} attn_variant;

/* A compiled model or kernel: exported by its library as NAME_program. */
typedef struct attn_program {
  uint32_t abi;
  uint32_t input_count, output_count, dim_count, buffer_count, variant_count;
  const char *name;
  const char *description;      /* JSON: what `attnc inspect` shows */
  const attn_dim_info *dims;
  const attn_tensor_info *inputs, *outputs;
  const attn_variant *variants; /* best first */
  uint64_t weights_bytes;       /* 0: opens without a weights file */
  unsigned char build_id[16];   /* of this code; the weights file repeats it */
} attn_program;

#ifdef __cplusplus
}
#endif

#endif /* ATTN_ABI_H */
