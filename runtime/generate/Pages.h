/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which pages of a cache are free, and how many sequences use each. */

#ifndef ATTN_RUNTIME_GENERATE_PAGES_H
#define ATTN_RUNTIME_GENERATE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct page_pool {
  int64_t *free; /* a stack */
  size_t free_count;
  uint32_t *uses;
} page_pool;

#define attn_pages_create attn_generate_pages_create
#define attn_pages_destroy attn_generate_pages_destroy
#define attn_pages_take attn_generate_pages_take
#define attn_pages_share attn_generate_pages_share
#define attn_pages_release attn_generate_pages_release

#pragma GCC visibility push(hidden)
bool attn_pages_create(page_pool *pool, size_t count);
void attn_pages_destroy(page_pool *pool);
/* Takes `count` free pages, or none where there are fewer. */
bool attn_pages_take(page_pool *pool, size_t count, int64_t *pages);
void attn_pages_share(page_pool *pool, size_t count, const int64_t *pages);
/* Frees those that nothing else uses. */
void attn_pages_release(page_pool *pool, size_t count, const int64_t *pages);
#pragma GCC visibility pop

#endif /* ATTN_RUNTIME_GENERATE_PAGES_H */
