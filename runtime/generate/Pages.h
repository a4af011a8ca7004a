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
  /* Behind a window every user of a shared page but the last will ask for a
     page of its own: so many free ones are kept for them. */
  bool replaces;
  size_t promised;
} page_pool;

#define attn_pages_create attn_generate_pages_create
#define attn_pages_destroy attn_generate_pages_destroy
#define attn_pages_left attn_generate_pages_left
#define attn_pages_take attn_generate_pages_take
#define attn_pages_share attn_generate_pages_share
#define attn_pages_replace attn_generate_pages_replace
#define attn_pages_release attn_generate_pages_release

#pragma GCC visibility push(hidden)
bool attn_pages_create(page_pool *pool, size_t count);
void attn_pages_destroy(page_pool *pool);
/* Free ones that are promised to nobody. */
size_t attn_pages_left(const page_pool *pool);
/* Takes `count` pages, or none where fewer are left. */
bool attn_pages_take(page_pool *pool, size_t count, int64_t *pages);
/* Where pages are replaced, at least `count` have to be left. */
void attn_pages_share(page_pool *pool, size_t count, const int64_t *pages);
/* A page to write in place of *page, which the caller reads no more: itself,
   unless others use it. */
void attn_pages_replace(page_pool *pool, int64_t *page);
/* Frees those that nothing else uses. */
void attn_pages_release(page_pool *pool, size_t count, const int64_t *pages);
#pragma GCC visibility pop

#endif /* ATTN_RUNTIME_GENERATE_PAGES_H */
