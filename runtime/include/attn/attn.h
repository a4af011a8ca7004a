/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What every program that embeds a compiled model may use: status codes,
   errors, and the executor that parallel work is handed to. The functions of a
   model are in the header that is written with it; attn/abi.h has the same
   functions for programs that handle any model. */

#ifndef ATTN_ATTN_H
#define ATTN_ATTN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_status {
  ATTN_OK = 0,
  ATTN_INVALID_ARGUMENT = 1, /* a pointer, size or dimension is refused */
  ATTN_OUT_OF_RANGE = 2,     /* an id, position or length in an input */
  ATTN_IO_ERROR = 3,         /* a file cannot be opened, read or mapped */
  ATTN_BAD_FILE = 4,         /* a weights file is damaged or not one */
  ATTN_MISMATCH = 5,         /* a weights file belongs to another build */
  ATTN_UNSUPPORTED_CPU = 6,  /* no variant runs on this processor */
  ATTN_OUT_OF_MEMORY = 7
} attn_status;

typedef enum attn_dtype { ATTN_F32 = 0, ATTN_I64 = 1 } attn_dtype;

/* What went wrong, for people. Filled by the call that returned its status;
   untouched by a call that succeeds. */
typedef struct attn_error {
  attn_status status;
  char message[252];
} attn_error;

/* One task of a parallel region; `slot` lies in [0, slots). */
typedef void (*attn_task)(void *arg, size_t slot);

/* Parallelism as an interface: a host plugs in its own pool.
   run is equivalent to: for (size_t s = 0; s < slots; ++s) task(arg, s);
   each slot runs exactly once, in any order, on any thread, and run returns
   when all have. It is called with the executor's slots, or with 1 for work
   that is too short to share. */
typedef struct attn_executor {
  void *context;
  size_t slots;
  void (*run)(void *context, size_t slots, attn_task task, void *arg);
} attn_executor;

/* The alignment of every workspace, in bytes. */
#define ATTN_WORKSPACE_ALIGNMENT 64

/* An opened model: code for this processor and mapped weights. Immutable, so
   any number of threads may use one at the same time. */
typedef struct attn_model attn_model;

/* A model bound to sizes, an executor and a workspace. It lives in that
   workspace: nothing else is to be freed. One run at a time; several objects of
   one model may run at the same time. */
typedef struct attn_run attn_run;

/* Code and description of a compiled model; see attn/abi.h. */
typedef struct attn_program attn_program;

#ifdef __cplusplus
}
#endif

#endif /* ATTN_ATTN_H */
