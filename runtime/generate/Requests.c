/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sequences that join a generator and leave it. */

#include "runtime/generate/Beams.h"
#include "runtime/generate/Failure.h"
#include "runtime/generate/Generator.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_PART = 512 };

sequence *attn_find_sequence(const attn_generator *generator, int64_t number) {
  for (size_t s = 0; generator && number >= 0 && s < generator->max_sequences;
       ++s)
    if (generator->sequences[s].number == number)
      return &generator->sequences[s];
  return NULL;
}

attn_status attn_free_slot(attn_generator *generator, sequence **slot,
                           attn_error *error) {
  for (size_t s = 0; s < generator->max_sequences; ++s)
    if (generator->sequences[s].number < 0) {
      *slot = &generator->sequences[s];
      return ATTN_OK;
    }
  *slot = NULL;
  return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                            "all %zu sequences are in use",
                            generator->max_sequences);
}

attn_status attn_check_left(const attn_generator *generator, size_t count,
                            attn_error *error) {
  size_t left = attn_pages_left(&generator->pages);
  if (count <= left)
    return ATTN_OK;
  return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                            "the sequence needs %zu pages, but %zu are free",
                            count, left);
}

/*===-- What a request needs
 * -------------------------------------------------===*/

/* The most tokens that a request can become. */
static size_t limit_of(const attn_program *program,
                       const attn_request *request) {
  size_t limit, positions = (size_t)program->cache->positions;
  if (__builtin_add_overflow(request->prompt_count, request->max_new_tokens,
                             &limit))
    limit = SIZE_MAX;
  /* The token after the last position can be chosen, and no other. */
  return positions && limit > positions + 1 ? positions + 1 : limit;
}

/* The pages of a window have to hold what a call adds, too; parts of about its
   size cost little. */
size_t attn_largest_part(const attn_program *program) {
  size_t window = (size_t)program->cache->window,
         page = (size_t)program->cache->page_tokens;
  if (!window)
    return SIZE_MAX;
  return window < page ? page : window > LONGEST_PART ? LONGEST_PART : window;
}

/* The pages for all tokens but the last, which nothing follows. */
static size_t pages_for(const attn_program *program, size_t limit) {
  return program->functions->sequence_pages(program, limit > 1 ? limit - 1 : 1,
                                            attn_largest_part(program));
}

/* Beams share what is encoded, but where pages are replaced each is promised
   pages for all that it uses. */
static size_t pages_with_beams(const attn_program *program,
                               const attn_request *request, size_t pages,
                               size_t memory) {
  size_t beams = request->beams > 1 ? request->beams : 1, all;
  bool replaces = program->cache->window > 0;
  if (__builtin_mul_overflow(beams, pages + (replaces ? memory : 0), &all))
    return SIZE_MAX;
  return all + (replaces ? 0 : memory);
}

size_t attn_request_pages(const attn_program *program,
                          const attn_request *request) {
  if (!program || !request || !program->cache)
    return 0;
  size_t pages = pages_for(program, limit_of(program, request)), memory = 0;
  if (program->part_count) {
    const attn_program *encoder = program->parts[0];
    int64_t *dims = calloc(encoder->dim_count + 1, sizeof(*dims));
    if (!dims)
      return 0;
    int64_t length = attn_source_length(encoder, request->source_dims, dims);
    free(dims);
    memory = length > 0 ? attn_blocks_of(encoder, (size_t)length) : 0;
  }
  return pages_with_beams(program, request, pages, memory);
}

/* A wrong token is an error of its own request, not of the call that it would
   be part of with others. */
static attn_status check_prompt(const attn_generator *generator,
                                const attn_request *request,
                                attn_error *error) {
  int32_t input = generator->roles.input[ATTN_ROLE_TOKENS];
  int64_t bound = generator->program->inputs[input].bound;
  for (size_t i = 0; bound > 0 && i < request->prompt_count; ++i)
    if (request->prompt[i] < 0 || request->prompt[i] >= bound)
      return attn_generate_fail(error, ATTN_OUT_OF_RANGE,
                                "expects tokens in [0, %lld), but token %zu of "
                                "the prompt is %lld",
                                (long long)bound, i,
                                (long long)request->prompt[i]);
  return ATTN_OK;
}

static attn_status check_request(const attn_generator *generator,
                                 const attn_request *request,
                                 attn_error *error) {
  if (!request->prompt || !request->prompt_count)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "expects a prompt of at least one token");
  if (!request->max_new_tokens)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "expects at least one new token, but "
                              "max_new_tokens is 0");
  int64_t positions = generator->program->cache->positions;
  if (positions && request->prompt_count > (size_t)positions)
    return attn_generate_fail(error, ATTN_OUT_OF_RANGE,
                              "the prompt has %zu tokens, but '%s' has %lld "
                              "positions",
                              request->prompt_count, generator->program->name,
                              (long long)positions);
  if (request->counted_prompt > request->prompt_count)
    return attn_generate_fail(
        error, ATTN_INVALID_ARGUMENT,
        "expects counted_prompt of at most the %zu tokens "
        "of the prompt, but got %zu",
        request->prompt_count, request->counted_prompt);
  if (request->beams > 1 && request->sampling.temperature != 0)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "a beam search draws no tokens: expects a "
                              "temperature of 0, but got %g",
                              request->sampling.temperature);
  if (request->beams > generator->max_sequences)
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "%zu beams need as many sequences, but there are "
                              "%zu",
                              request->beams, generator->max_sequences);
  size_t pages = pages_with_beams(
      generator->program, request,
      pages_for(generator->program, limit_of(generator->program, request)), 0);
  if (pages > generator->cache_pages)
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "the sequence needs %zu pages, but the cache has "
                              "%zu",
                              pages, generator->cache_pages);
  return check_prompt(generator, request, error);
}

/* A table has room for every block of the longest sequence so far: more than
   the cache has pages, where those of a window are used again. */
static bool reserve_table(attn_generator *generator, size_t blocks) {
  if (blocks <= generator->table_columns)
    return true;
  int64_t *larger =
      attn_make(generator->max_sequences, blocks, sizeof(int64_t));
  if (!larger)
    return false;
  free(generator->table);
  generator->table = larger;
  generator->table_columns = blocks;
  return true;
}

/*===-- Join and leave
 * -------------------------------------------------------===*/

void attn_release_pages(attn_generator *generator, sequence *that) {
  if (that->has_pages)
    attn_pages_release(&generator->pages, that->page_count, that->pages);
  if (that->has_pages)
    attn_pages_release(&generator->pages, that->memory_count, that->memory);
  that->has_pages = false;
}

static void discard(attn_generator *generator, sequence *ended) {
  attn_release_pages(generator, ended);
  attn_sequence_destroy(ended);
}

/* Its own pages, and the encoder's. */
static attn_status take_pages(attn_generator *generator,
                              const attn_request *request, sequence *into,
                              attn_error *error) {
  attn_status status = attn_check_left(generator, into->page_count, error);
  if (status != ATTN_OK)
    return status;
  attn_pages_take(&generator->pages, into->page_count, into->pages);
  into->has_pages = true;
  return generator->encoder
             ? attn_encode_source(generator, request, into, error)
             : ATTN_OK;
}

attn_status attn_generator_add(attn_generator *generator,
                               const attn_request *request, int64_t *number,
                               attn_error *error) {
  if (!generator || !request || !number)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "attn_generator_add: an argument is NULL");
  sequence *slot = NULL;
  attn_status status = check_request(generator, request, error);
  if (status == ATTN_OK)
    status = attn_free_slot(generator, &slot, error);
  if (status != ATTN_OK)
    return status;
  size_t limit = limit_of(generator->program, request);
  if (!attn_sequence_create(slot, request, limit,
                            pages_for(generator->program, limit), 0) ||
      !reserve_table(generator, attn_blocks_of(generator->program, limit))) {
    attn_sequence_destroy(slot);
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a sequence of %zu tokens",
                              limit);
  }
  status = take_pages(generator, request, slot, error);
  slot->number = generator->next_number;
  if (status == ATTN_OK && request->beams > 1)
    status = attn_search_begin(generator, request, slot, error);
  if (status != ATTN_OK) {
    discard(generator, slot);
    return status;
  }
  *number = generator->next_number++;
  return ATTN_OK;
}

void attn_generator_drop(attn_generator *generator, int64_t number) {
  sequence *ended = attn_find_sequence(generator, number);
  if (ended && ended->search)
    attn_search_destroy(generator, ended->search);
  for (; ended; ended = attn_find_sequence(generator, number))
    discard(generator, ended);
}

const int64_t *attn_generator_tokens(const attn_generator *generator,
                                     int64_t number, size_t *count) {
  const sequence *that = attn_find_sequence(generator, number);
  if (count)
    *count = 0;
  if (!that)
    return NULL;
  if (that->search)
    return attn_search_tokens(generator, that->search, count);
  if (count)
    *count = that->count;
  return that->tokens;
}

const int64_t *attn_generator_text(const attn_generator *generator,
                                   int64_t number, size_t index, size_t *count,
                                   double *score) {
  const sequence *that = attn_find_sequence(generator, number);
  if (count)
    *count = 0;
  return that && that->search
             ? attn_search_text(that->search, index, count, score)
             : NULL;
}

const float *attn_generator_logits(const attn_generator *generator,
                                   int64_t number) {
  const sequence *that = attn_find_sequence(generator, number);
  if (!that || that->search || that->count == that->prompt)
    return NULL;
  return generator->logits +
         (size_t)(that - generator->sequences) * (size_t)generator->vocabulary;
}
