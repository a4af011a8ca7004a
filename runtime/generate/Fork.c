/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Copies of sequences that go on alone and share the pages behind them. */

#include "runtime/generate/Failure.h"
#include "runtime/generate/Generator.h"

#include <string.h>

/* The first block of a sequence that its next token sees. */
static size_t first_seen(const attn_generator *generator,
                         const sequence *that) {
  const attn_cache_info *info = generator->program->cache;
  size_t window = (size_t)info->window;
  return window && that->past >= window
             ? (that->past - window + 1) / (size_t)info->page_tokens
             : 0;
}

static void copy_page(const attn_generator *generator, int64_t from,
                      int64_t to) {
  size_t bytes = (size_t)generator->program->cache->page_bytes;
  char *cache = (char *)generator->cache;
  memcpy(cache + (size_t)to * bytes, cache + (size_t)from * bytes, bytes);
}

attn_status attn_fork_pages(attn_generator *generator, const sequence *original,
                            sequence *copy, attn_error *error) {
  page_pool *pool = &generator->pages;
  size_t tokens = (size_t)generator->program->cache->page_tokens,
         first = first_seen(generator, original),
         full = original->past / tokens, ring = copy->page_count;
  attn_status status = attn_check_left(
      generator,
      pool->replaces ? ring + copy->memory_count : ring - (full - first),
      error);
  if (status != ATTN_OK)
    return status;
  for (size_t b = first; b < first + ring; ++b) {
    copy->pages[b % ring] = original->pages[b % ring];
    if (b < full)
      attn_pages_share(pool, 1, &copy->pages[b % ring]);
    else
      attn_pages_take(pool, 1, &copy->pages[b % ring]);
    if (b == full && original->past % tokens)
      copy_page(generator, original->pages[b % ring], copy->pages[b % ring]);
  }
  if (copy->memory_count)
    memcpy(copy->memory, original->memory,
           copy->memory_count * sizeof(int64_t));
  attn_pages_share(pool, copy->memory_count, copy->memory);
  copy->has_pages = true;
  return ATTN_OK;
}

attn_status attn_generator_fork(attn_generator *generator, int64_t number,
                                int64_t token, const attn_sampling *sampling,
                                int64_t *copy, attn_error *error) {
  sequence *original = attn_find_sequence(generator, number), *slot = NULL;
  if (!original || !copy)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "there is no sequence %lld", (long long)number);
  if (original->search)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "sequence %lld is a beam search",
                              (long long)number);
  if (original->count == original->prompt)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "sequence %lld has no new token yet",
                              (long long)number);
  attn_status status = attn_free_slot(generator, &slot, error);
  if (status != ATTN_OK)
    return status;
  if (!attn_sequence_copy(slot, original, sampling)) {
    attn_sequence_destroy(slot);
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a sequence of %zu tokens",
                              original->limit);
  }
  status = attn_fork_pages(generator, original, slot, error);
  if (status != ATTN_OK) {
    attn_sequence_destroy(slot);
    return status;
  }
  if (token >= 0) {
    slot->tokens[slot->count - 1] = token;
    slot->goes_on = !attn_sequence_ends(slot);
  }
  size_t row = (size_t)generator->vocabulary;
  memcpy(generator->logits + (size_t)(slot - generator->sequences) * row,
         generator->logits + (size_t)(original - generator->sequences) * row,
         row * sizeof(float));
  *copy = slot->number = generator->next_number++;
  return ATTN_OK;
}
