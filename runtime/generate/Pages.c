/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A stack of free pages and a count of uses. */

#include "runtime/generate/Pages.h"

#include <stdlib.h>

bool attn_pages_create(page_pool *pool, size_t count) {
  pool->free = calloc(count, sizeof(*pool->free));
  pool->uses = calloc(count, sizeof(*pool->uses));
  pool->free_count = count;
  if (!pool->free || !pool->uses)
    return false;
  /* The first page is on top. */
  for (size_t i = 0; i < count; ++i)
    pool->free[i] = (int64_t)(count - 1 - i);
  return true;
}

void attn_pages_destroy(page_pool *pool) {
  free(pool->free);
  free(pool->uses);
}

size_t attn_pages_left(const page_pool *pool) {
  return pool->free_count - pool->promised;
}

bool attn_pages_take(page_pool *pool, size_t count, int64_t *pages) {
  if (count > attn_pages_left(pool))
    return false;
  for (size_t i = 0; i < count; ++i) {
    pages[i] = pool->free[--pool->free_count];
    pool->uses[pages[i]] = 1;
  }
  return true;
}

void attn_pages_share(page_pool *pool, size_t count, const int64_t *pages) {
  for (size_t i = 0; i < count; ++i)
    ++pool->uses[pages[i]];
  pool->promised += pool->replaces ? count : 0;
}

void attn_pages_replace(page_pool *pool, int64_t *page) {
  if (pool->uses[*page] == 1)
    return;
  attn_pages_release(pool, 1, page);
  attn_pages_take(pool, 1, page);
}

void attn_pages_release(page_pool *pool, size_t count, const int64_t *pages) {
  for (size_t i = 0; i < count; ++i)
    if (--pool->uses[pages[i]] == 0)
      pool->free[pool->free_count++] = pages[i];
    else
      pool->promised -= pool->replaces;
}
