/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What every program that embeds a compiled model may use: status codes,
   errors, and the executor that parallel work is handed to. */

#ifndef ATTN_ATTN_H
#define ATTN_ATTN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_status {
  ATTN_OK = 0,
  ATTN_INVALID_ARGUMENT = 1, /* a pointer, size or dimension is not acceptable */
  ATTN_OUT_OF_RANGE = 2,     /* an id, position or length in an input */
  ATTN_IO_ERROR = 3,         /* a file cannot be opened, read or mapped */
  ATTN_BAD_FILE = 4,         /* a weights file is damaged or not one */
  ATTN_MISMATCH = 5,         /* a weights file belongs to another build */
  ATTN_UNSUPPORTED_CPU = 6,  /* no variant runs on this processor */
  ATTN_OUT_OF_MEMORY = 7
} attn_status;

typedef enum attn_dtype { ATTN_F32 = 0, ATTN_I64 = 1 } attn_dtype;

/* What went wrong, for people. Filled by the call that returned its status. */
typedef struct attn_error {
  attn_status status;
  char message[252];
} attn_error;

/* One task of a parallel region; `slot` lies in [0, slots). */
typedef void (*attn_task)(void *arg, size_t slot);

/* Parallelism as an interface: a host plugs in its own pool.
   run is equivalent to: for (size_t s = 0; s < slots; ++s) task(arg, s);
   each slot runs exactly once, in any order, on any thread, and run returns when
   all have. */
typedef struct attn_executor {
  void *context;
  size_t slots;
  void (*run)(void *context, size_t slots, attn_task task, void *arg);
} attn_executor;

#ifdef __cplusplus
}
#endif

#endif /* ATTN_ATTN_H */
