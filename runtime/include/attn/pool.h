/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A pool of threads for compiled models, over pthreadpool. Link with attn_pool;
   programs that have a pool of their own need none of this: see attn_executor.
 */

#ifndef ATTN_POOL_H
#define ATTN_POOL_H

#include "attn/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_pool attn_pool;

/* Creates a pool of `threads` threads, the calling one included; 0: one for
   each logical processor. On failure *pool is NULL. `error` may be NULL. */
attn_status attn_pool_create(size_t threads, attn_pool **pool,
                             attn_error *error);

/* Ends the pool's threads; no run may be using it. NULL is allowed. */
void attn_pool_destroy(attn_pool *pool);

/* An executor with a slot for each thread, valid until the pool is destroyed.
   Any number of threads may use it at the same time: their parallel regions
   run one after the other. A task may not use the executor it runs on. */
attn_executor attn_pool_executor(attn_pool *pool);

#ifdef __cplusplus
}
#endif

#endif /* ATTN_POOL_H */
