/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What generated code and the runtime know of each other, and how a program
   that handles any model (a tool, a binding for another language) reads and
   calls one. Programs that embed one model need only its own header. */

#ifndef ATTN_ABI_H
#define ATTN_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "attn/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every incompatible change of the structures below. */
#define ATTN_ABI_VERSION 4

/* A dynamic dimension: its name and the sizes it may have. */
typedef struct attn_dim_info {
  const char *name;
  int64_t min, max;
} attn_dim_info;

/* What an input of a program with a key and value cache is for. Sequences are
   numbered in the order in which their new tokens are packed. */
typedef enum attn_role {
  ATTN_ROLE_NONE = 0,
  ATTN_ROLE_TOKENS = 1, /* [1, tokens]: the new tokens of all sequences */
  ATTN_ROLE_COUNTS = 2, /* [sequences]: how many of them each one has */
  ATTN_ROLE_PAST = 3,   /* [sequences]: positions that the cache holds */
  ATTN_ROLE_PAGES = 4,  /* [sequences, blocks]: the page of each block */
  ATTN_ROLE_CACHE = 5,  /* [page_count, floats of a page]: read and written */
  ATTN_ROLE_MEMORY_PAGES = 6,  /* as pages, of the encoder's positions */
  ATTN_ROLE_MEMORY_LENGTHS = 7 /* [sequences]: the encoder's positions */
} attn_role;

/* An input or output tensor, dense and row-major. shape[i] >= 0 is a static
   size; shape[i] == -1 - d is dynamic dimension d of the program. For integer
   inputs with bound > 0 every element must lie in [0, bound). */
typedef struct attn_tensor_info {
  const char *name;
  int32_t dtype; /* attn_dtype */
  int32_t rank;
  const int64_t *shape;
  int64_t bound;
  int32_t role; /* attn_role */
} attn_tensor_info;

/* The cache of a program that has one. A page holds what page_tokens
   consecutive positions of one sequence leave behind. */
typedef struct attn_cache_info {
  int64_t page_tokens;
  int64_t page_bytes;
  int64_t positions; /* the most that a sequence may have; 0: no limit */
  /* Of a program that encodes: how many positions it writes to its memory
     pages, a size or -1 - d for dimension d; 0 for others. */
  int64_t memory_length;
  /* How many of a sequence's positions any token sees, its own included: pages
     whose positions all lie further behind are not read any more. 0: all. */
  int64_t window;
} attn_cache_info;

/* Everything one run needs; passed to attn_variant.body. */
typedef struct attn_frame {
  const int64_t *dims;    /* one for each dynamic dimension */
  const int64_t *offsets; /* of the planned buffers in the workspace, bytes */
  const void *const *inputs; /* a cache among them is written */
  void *const *outputs;
  const char *weights; /* of the weights file's data, or constants */
  char *workspace;     /* 64-byte aligned */
  /* Never NULL. Its run with 0 slots calls the task once, for slot 0, on the
     calling thread. */
  const attn_executor *executor;
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
     slots' scratch, then the bytes of scratch for one slot. Returns the bytes
     of workspace for `slots` slots, or -1 on overflow. */
  int64_t (*plan)(const int64_t *dims, int64_t slots, int64_t *offsets);
  /* Returns an attn_status. */
  int32_t (*body)(const attn_frame *frame);
} attn_variant;

/* The functions that all models have in common; the header of a model has the
   same under its own name. Where there is an `error` it may be NULL. `dims` has
   program->dim_count sizes, `inputs` and `outputs` a pointer for each tensor,
   in the order of the program's tables. */
typedef struct attn_functions {
  /* Maps the weights file at `path` (NULL for a program without weights) and
     picks the best variant that this processor runs, or the variant `isa`
     unless that is NULL. Checks header, size and build id, in milliseconds; not
     the weights themselves. */
  attn_status (*open)(const attn_program *program, const char *path,
                      const char *isa, attn_model **model, attn_error *error);
  /* Frees the model and unmaps its weights. No run object of it may be used any
     more. NULL is allowed. */
  void (*close)(attn_model *model);
  /* The instruction set that was picked: the name of a variant. */
  const char *(*isa)(const attn_model *model);
  /* Exact bytes of workspace that a run at these sizes needs for an executor of
     `slots` slots. */
  attn_status (*workspace_bytes)(const attn_model *model, const int64_t *dims,
                                 size_t slots, size_t *bytes,
                                 attn_error *error);
  /* Binds model, executor (NULL: the calling thread) and a workspace, aligned
     to ATTN_WORKSPACE_ALIGNMENT, that the caller keeps alive and leaves alone
     while it uses *run. Copies *executor and dims; allocates nothing. */
  attn_status (*prepare)(const attn_model *model, const attn_executor *executor,
                         void *workspace, size_t bytes, const int64_t *dims,
                         attn_run **run, attn_error *error);
  /* Computes the outputs. Allocates nothing and touches no global state.
     Outputs and cache overlap no input and no other output. When it returns
     ATTN_INVALID_ARGUMENT or ATTN_OUT_OF_RANGE none of them was touched. */
  attn_status (*run)(attn_run *run, const void *const *inputs,
                     void *const *outputs, attn_error *error);
  /* Equivalent to: workspace_bytes, allocate, prepare, run, free. */
  attn_status (*call)(const attn_model *model, const attn_executor *executor,
                      const int64_t *dims, const void *const *inputs,
                      void *const *outputs, attn_error *error);
  /* The model of program->parts[index], for workspace_bytes, prepare and call:
     opened and closed with `model`. NULL where there is no such part. */
  const attn_model *(*part)(const attn_model *model, uint32_t index);
  /* The most pages that a sequence of up to `tokens` tokens needs at a time,
     where no call has more than `at_once` new ones of it: fewer than it has
     blocks where the cache has a window. 0 for a program without a cache. */
  size_t (*sequence_pages)(const attn_program *program, size_t tokens,
                           size_t at_once);
} attn_functions;

/* A compiled model or kernel. Its library exports
   `const attn_program *NAME_program(void)`. */
struct attn_program {
  uint32_t abi;
  uint32_t input_count, output_count, dim_count, buffer_count, variant_count;
  const char *name;
  const char *description; /* JSON: what `attnc inspect` shows */
  const attn_dim_info *dims;
  const attn_tensor_info *inputs, *outputs;
  const attn_variant *variants; /* best first */
  uint64_t weights_bytes;       /* of data; 0: opens without a weights file */
  unsigned char build_id[16];   /* of this code; the weights file repeats it */
  const attn_functions *functions;
  /* Values that depend on no weight, such as tables of positions, for programs
     without a weights file: what attn_frame.weights points to. May be NULL. */
  const char *constants;
  /* NULL for a program without a cache. */
  const attn_cache_info *cache;
  /* Further programs over the same weights: "encode" of an encoder-decoder,
     whose own program makes the decoder's steps. They have the same variants,
     build id and functions, and no parts. */
  uint32_t part_count;
  const attn_program *const *parts;
};

#ifdef __cplusplus
}
#endif

#endif /* ATTN_ABI_H */
