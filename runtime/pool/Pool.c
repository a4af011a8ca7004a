/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* attn_executor over pthreadpool. */

#include "attn/pool.h"

#include <pthreadpool.h>

#include <stdio.h>

/* Far more than any machine has; beyond it a size is a mistake. */
enum { MAX_THREADS = 4096 };

/* An attn_pool is a pthreadpool under the name that our header gives it. */
static pthreadpool_t threads_of(attn_pool *pool) { return (pthreadpool_t)pool; }

static attn_status fail(attn_error *error, attn_status status,
                        const char *format, size_t value) {
  if (error) {
    error->status = status;
    snprintf(error->message, sizeof error->message, format, value);
  }
  return status;
}

attn_status attn_pool_create(size_t threads, attn_pool **pool,
                             attn_error *error) {
  if (!pool)
    return fail(error, ATTN_INVALID_ARGUMENT,
                "attn_pool_create: pool is NULL, for %zu threads", threads);
  *pool = NULL;
  if (threads > MAX_THREADS)
    return fail(error, ATTN_INVALID_ARGUMENT,
                "attn_pool_create: expects at most 4096 threads, but got %zu",
                threads);
  *pool = (attn_pool *)pthreadpool_create(threads);
  if (!*pool)
    return fail(error, ATTN_OUT_OF_MEMORY,
                "attn_pool_create: cannot start a pool of %zu threads",
                threads);
  return ATTN_OK;
}

void attn_pool_destroy(attn_pool *pool) {
  if (pool)
    pthreadpool_destroy(threads_of(pool));
}

/* pthreadpool is not compiled with the thread sanitizer, which therefore cannot
   see that the beginning of a region happens before its slots, and these before
   its end. Two places stand for the two, so that slots of one region are not
   ordered among each other. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ATTN_THREAD_SANITIZER 1
#endif
#endif
#if defined(ATTN_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#define HAPPENS_BEFORE(place) __tsan_release(place)
#define HAPPENS_AFTER(place) __tsan_acquire(place)
#else
#define HAPPENS_BEFORE(place) ((void)(place))
#define HAPPENS_AFTER(place) ((void)(place))
#endif

typedef struct region {
  attn_task task;
  void *arg;
  uint64_t begin, end; /* places for the thread sanitizer */
} region;

static void run_slot(void *context, size_t slot) {
  region *r = context;
  HAPPENS_AFTER(&r->begin);
  r->task(r->arg, slot);
  HAPPENS_BEFORE(&r->end);
}

static void run_slots(void *context, size_t slots, attn_task task, void *arg) {
  region r = {task, arg, 0, 0};
  HAPPENS_BEFORE(&r.begin);
  pthreadpool_parallelize_1d(threads_of(context), run_slot, &r, slots, 0);
  HAPPENS_AFTER(&r.end);
}

attn_executor attn_pool_executor(attn_pool *pool) {
  attn_executor executor = {
      pool, pthreadpool_get_threads_count(threads_of(pool)), run_slots};
  return executor;
}
