/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Checks of what a caller says of its sequences: which of the new tokens are
   whose, what the cache holds of each, and in which pages. */

#include "runtime/Tensors.h"

/* The inputs by their roles; those that a program lacks are NULL. */
typedef struct sequences {
  const attn_cache_info *cache;
  const attn_tensor_info *infos[ATTN_ROLE_MEMORY_LENGTHS + 1];
  const int64_t *values[ATTN_ROLE_MEMORY_LENGTHS + 1];
  int64_t count;                 /* of sequences */
  int64_t tokens;                /* of all of them */
  int64_t blocks, memory_blocks; /* columns of the tables of pages */
  int64_t page_count;
  int64_t memory_length; /* of a program that encodes */
  uint64_t *marks;
} sequences;

static int64_t size_of(int64_t size, const int64_t *dims) {
  return size >= 0 ? size : dims[-1 - size];
}

ATTN_WEAK int64_t attn_page_count(const attn_program *program,
                                  const int64_t *dims) {
  for (uint32_t i = 0; program->cache && i < program->input_count; ++i)
    if (program->inputs[i].role == ATTN_ROLE_CACHE)
      return size_of(program->inputs[i].shape[0], dims);
  return 0;
}

static sequences collect(const attn_program *program, const int64_t *dims,
                         const void *const *inputs, uint64_t *marks) {
  sequences all = {.cache = program->cache, .count = 1, .marks = marks};
  all.page_count = attn_page_count(program, dims);
  all.memory_length = size_of(program->cache->memory_length, dims);
  for (uint32_t i = 0; i < program->input_count; ++i) {
    const attn_tensor_info *info = &program->inputs[i];
    all.infos[info->role] = info;
    all.values[info->role] = inputs[i];
    if (info->role == ATTN_ROLE_COUNTS)
      all.count = size_of(info->shape[0], dims);
    else if (info->role == ATTN_ROLE_TOKENS)
      all.tokens = size_of(info->shape[1], dims);
    else if (info->role == ATTN_ROLE_PAGES)
      all.blocks = size_of(info->shape[1], dims);
    else if (info->role == ATTN_ROLE_MEMORY_PAGES)
      all.memory_blocks = size_of(info->shape[1], dims);
  }
  return all;
}

static int64_t blocks_of(const sequences *all, int64_t length) {
  return length / all->cache->page_tokens +
         (length % all->cache->page_tokens != 0);
}

ATTN_WEAK size_t attn_sequence_pages(const attn_program *program, size_t tokens,
                                     size_t at_once) {
  const attn_cache_info *cache = program->cache;
  if (!cache || !tokens)
    return 0;
  size_t page = (size_t)cache->page_tokens, window = (size_t)cache->window;
  size_t blocks = (tokens - 1) / page + 1, seen;
  if (!window || !at_once || __builtin_add_overflow(window - 1, at_once, &seen))
    return blocks;
  /* So many positions in a row begin anywhere in a page. */
  size_t ring = seen < 2 ? 1 : (seen - 2) / page + 2;
  return ring < blocks ? ring : blocks;
}

/*===-- Lengths
 * --------------------------------------------------------------===*/

static attn_status check_counts(const sequences *all, attn_error *error) {
  const char *name = all->infos[ATTN_ROLE_COUNTS]->name;
  int64_t left = all->tokens;
  for (int64_t s = 0; s < all->count; ++s) {
    int64_t count = all->values[ATTN_ROLE_COUNTS][s];
    if (count < 1)
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "expects '%s' of at least 1, but sequence %lld has %lld",
                       name, (long long)s, (long long)count);
    if (count > left)
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "expects '%s' to add up to the %lld tokens, but they "
                       "exceed them at sequence %lld with %lld",
                       name, (long long)all->tokens, (long long)s,
                       (long long)count);
    left -= count;
  }
  if (left)
    return attn_fail(error, ATTN_OUT_OF_RANGE,
                     "expects '%s' to add up to the %lld tokens, but they add "
                     "up to %lld",
                     name, (long long)all->tokens,
                     (long long)(all->tokens - left));
  return ATTN_OK;
}

/* Every sequence fits its row of pages and the model's positions. */
static attn_status check_past(const sequences *all, attn_error *error) {
  const char *name = all->infos[ATTN_ROLE_PAST]->name;
  int64_t tokens = all->cache->page_tokens, limit = INT64_MAX;
  const char *owner = "of the model";
  if (all->cache->positions)
    limit = all->cache->positions;
  if (all->blocks < limit / tokens) {
    limit = all->blocks * tokens;
    owner = "in its pages";
  }
  for (int64_t s = 0; s < all->count; ++s) {
    int64_t past = all->values[ATTN_ROLE_PAST][s];
    int64_t count = all->values[ATTN_ROLE_COUNTS][s];
    if (past < 0)
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "expects '%s' of at least 0, but sequence %lld has %lld",
                       name, (long long)s, (long long)past);
    if (count > limit || past > limit - count)
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "sequence %lld: %lld new tokens after %lld exceed the "
                       "%lld positions %s",
                       (long long)s, (long long)count, (long long)past,
                       (long long)limit, owner);
  }
  return ATTN_OK;
}

static attn_status check_memory_lengths(const sequences *all,
                                        attn_error *error) {
  int64_t most = all->memory_blocks > INT64_MAX / all->cache->page_tokens
                     ? INT64_MAX
                     : all->memory_blocks * all->cache->page_tokens;
  for (int64_t s = 0; s < all->count; ++s) {
    int64_t length = all->values[ATTN_ROLE_MEMORY_LENGTHS][s];
    if (length < 1 || length > most)
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "expects '%s' in [1, %lld], but sequence %lld has %lld",
                       all->infos[ATTN_ROLE_MEMORY_LENGTHS]->name,
                       (long long)most, (long long)s, (long long)length);
  }
  return ATTN_OK;
}

/*===-- Pages
 * ----------------------------------------------------------------===*/

/* The first `used` pages of a row lie in the cache. */
static attn_status check_row(const sequences *all, attn_role role,
                             const int64_t *row, int64_t sequence, int64_t used,
                             attn_error *error) {
  for (int64_t b = 0; b < used; ++b)
    if (row[b] < 0 || row[b] >= all->page_count)
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "expects '%s' in [0, %lld), but block %lld of sequence "
                       "%lld has %lld",
                       all->infos[role]->name, (long long)all->page_count,
                       (long long)b, (long long)sequence, (long long)row[b]);
  return ATTN_OK;
}

static bool is_marked(const sequences *all, int64_t page) {
  return all->marks[page / 64] >> (page % 64) & 1;
}

static void unmark(const sequences *all, const int64_t *pages, int64_t count) {
  for (int64_t b = 0; b < count; ++b)
    all->marks[pages[b] / 64] &= ~(UINT64_C(1) << (pages[b] % 64));
}

/* Marks pages that a sequence writes; all or, where one is marked already,
   none. */
static attn_status mark(const sequences *all, const int64_t *pages,
                        int64_t count, int64_t sequence, attn_error *error) {
  for (int64_t b = 0; b < count; ++b) {
    if (is_marked(all, pages[b])) {
      unmark(all, pages, b);
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "page %lld is written twice in one call, the second "
                       "time for sequence %lld",
                       (long long)pages[b], (long long)sequence);
    }
    all->marks[pages[b] / 64] |= UINT64_C(1) << (pages[b] % 64);
  }
  return ATTN_OK;
}

/* The pages that a sequence writes: *begin up to the returned one. */
static int64_t written(const sequences *all, int64_t sequence, int64_t *begin) {
  int64_t past = all->values[ATTN_ROLE_PAST][sequence];
  *begin = past / all->cache->page_tokens;
  return blocks_of(all, past + all->values[ATTN_ROLE_COUNTS][sequence]);
}

static const int64_t *row_of(const sequences *all, int64_t sequence) {
  return all->values[ATTN_ROLE_PAGES] + sequence * all->blocks;
}

/* The first block that new tokens behind `past` others see. */
static int64_t first_read(const sequences *all, int64_t past) {
  int64_t window = all->cache->window;
  return window && past >= window
             ? (past - window + 1) / all->cache->page_tokens
             : 0;
}

/* No page that is read is one that the call writes elsewhere. Behind a window
   nothing is read: a page may have a new place there, a ring. */
static attn_status check_reads(const sequences *all, const int64_t *row,
                               int64_t begin, int64_t end, int64_t sequence,
                               attn_error *error) {
  for (int64_t b = begin; b < end; ++b)
    if (is_marked(all, row[b]))
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "sequence %lld reads page %lld, which the same call "
                       "writes for another block",
                       (long long)sequence, (long long)row[b]);
  return ATTN_OK;
}

static attn_status check_sequence_reads(const sequences *all, int64_t sequence,
                                        attn_error *error) {
  int64_t past = all->values[ATTN_ROLE_PAST][sequence], begin;
  written(all, sequence, &begin);
  attn_status status =
      check_reads(all, row_of(all, sequence), first_read(all, past), begin,
                  sequence, error);
  const int64_t *memory = all->values[ATTN_ROLE_MEMORY_PAGES];
  if (status != ATTN_OK || !memory)
    return status;
  int64_t length = all->values[ATTN_ROLE_MEMORY_LENGTHS][sequence];
  return check_reads(all, memory + sequence * all->memory_blocks, 0,
                     blocks_of(all, length), sequence, error);
}

static attn_status check_conflicts(const sequences *all, attn_error *error) {
  attn_status status = ATTN_OK;
  int64_t begin, end, marked = 0;
  for (; status == ATTN_OK && marked < all->count; ++marked) {
    end = written(all, marked, &begin);
    status = mark(all, row_of(all, marked) + begin, end - begin, marked, error);
  }
  if (status != ATTN_OK)
    --marked;
  for (int64_t s = 0; status == ATTN_OK && s < all->count; ++s)
    status = check_sequence_reads(all, s, error);
  for (int64_t s = 0; s < marked; ++s) {
    end = written(all, s, &begin);
    unmark(all, row_of(all, s) + begin, end - begin);
  }
  return status;
}

static attn_status check_step(const sequences *all, attn_error *error) {
  attn_status status = check_counts(all, error);
  if (status == ATTN_OK)
    status = check_past(all, error);
  const int64_t *memory = all->values[ATTN_ROLE_MEMORY_PAGES];
  if (status == ATTN_OK && memory)
    status = check_memory_lengths(all, error);
  for (int64_t s = 0; status == ATTN_OK && s < all->count; ++s) {
    int64_t begin, end = written(all, s, &begin);
    status = check_row(all, ATTN_ROLE_PAGES, row_of(all, s), s, end, error);
    if (status == ATTN_OK && memory)
      status = check_row(
          all, ATTN_ROLE_MEMORY_PAGES, memory + s * all->memory_blocks, s,
          blocks_of(all, all->values[ATTN_ROLE_MEMORY_LENGTHS][s]), error);
  }
  return status == ATTN_OK ? check_conflicts(all, error) : status;
}

static attn_status check_encode(const sequences *all, attn_error *error) {
  const attn_tensor_info *info = all->infos[ATTN_ROLE_MEMORY_PAGES];
  const int64_t *row = all->values[ATTN_ROLE_MEMORY_PAGES];
  int64_t used = blocks_of(all, all->memory_length);
  if (used > all->memory_blocks)
    return attn_fail(error, ATTN_OUT_OF_RANGE,
                     "expects %lld pages in '%s' for %lld positions, but got "
                     "%lld",
                     (long long)used, info->name, (long long)all->memory_length,
                     (long long)all->memory_blocks);
  attn_status status =
      check_row(all, ATTN_ROLE_MEMORY_PAGES, row, 0, used, error);
  if (status == ATTN_OK)
    status = mark(all, row, used, 0, error);
  if (status == ATTN_OK)
    unmark(all, row, used);
  return status;
}

ATTN_WEAK attn_status attn_check_sequences(const attn_program *program,
                                           const int64_t *dims,
                                           const void *const *inputs,
                                           uint64_t *marks, attn_error *error) {
  sequences all = collect(program, dims, inputs, marks);
  return all.values[ATTN_ROLE_COUNTS] ? check_step(&all, error)
                                      : check_encode(&all, error);
}
