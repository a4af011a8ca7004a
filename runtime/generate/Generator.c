/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Many sequences of one model: who joins, what a call of the model holds, and
   what becomes of its results. */

#define _POSIX_C_SOURCE 200809L

#include "runtime/generate/Generator.h"
#include "runtime/generate/Failure.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TOKENS = 512 };

/*===-- Create and destroy
 * ---------------------------------------------------===*/

static attn_status check_program(const attn_program *program,
                                 attn_error *error) {
  role_map roles = attn_map_roles(program);
  if (!program->cache || roles.input[ATTN_ROLE_TOKENS] < 0 ||
      program->output_count != 1)
    return attn_generate_fail(
        error, ATTN_INVALID_ARGUMENT,
        "'%s' was not compiled for generation: expects a program with a cache",
        program->name);
  if (roles.input[ATTN_ROLE_NONE] >= 0)
    return attn_generate_fail(
        error, ATTN_INVALID_ARGUMENT, "'%s' takes '%s', which no request has",
        program->name, program->inputs[roles.input[ATTN_ROLE_NONE]].name);
  const attn_tensor_info *logits = &program->outputs[0];
  if (logits->rank != 3 || logits->shape[2] < 1)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "'%s' gives no logits of a fixed vocabulary",
                              program->name);
  return ATTN_OK;
}

static void set_up(attn_generator *made, const attn_program *program,
                   const attn_model *model,
                   const attn_generator_options *options) {
  *made = (attn_generator){.program = program,
                           .model = model,
                           .max_sequences = options->sequences,
                           .max_tokens = options->tokens,
                           .cache_pages = options->pages,
                           .vocabulary = program->outputs[0].shape[2]};
  if (!made->max_tokens)
    made->max_tokens = options->sequences > DEFAULT_TOKENS ? options->sequences
                                                           : DEFAULT_TOKENS;
  made->roles = attn_map_roles(program);
  if (program->part_count) {
    made->encoder = program->parts[0];
    made->encoder_model = program->functions->part(model, 0);
    made->encoder_roles = attn_map_roles(made->encoder);
  }
  made->has_executor = options->executor != NULL;
  if (options->executor)
    made->executor = *options->executor;
}

/* calloc of count * factor elements; NULL where that is too much. */
static void *make(size_t count, size_t factor, size_t bytes) {
  size_t all;
  if (__builtin_mul_overflow(count, factor, &count) ||
      __builtin_mul_overflow(count, bytes, &all) || all > PTRDIFF_MAX)
    return NULL;
  return calloc(count, bytes);
}

static bool allocate(attn_generator *made) {
  size_t sequences = made->max_sequences, pages = made->cache_pages,
         vocabulary = (size_t)made->vocabulary;
  size_t page_bytes = (size_t)made->program->cache->page_bytes, bytes;
  void *cache = NULL;
  if (!__builtin_mul_overflow(pages, page_bytes, &bytes) &&
      bytes <= PTRDIFF_MAX &&
      posix_memalign(&cache, ATTN_WORKSPACE_ALIGNMENT, bytes) == 0)
    made->cache = cache;
  made->sequences = make(sequences, 1, sizeof(sequence));
  made->logits = make(sequences, vocabulary, sizeof(float));
  made->call_logits = make(sequences, vocabulary, sizeof(float));
  made->members = make(sequences, 1, sizeof(size_t));
  made->tokens = make(made->max_tokens, 1, sizeof(int64_t));
  made->counts = make(sequences, 1, sizeof(int64_t));
  made->past = make(sequences, 1, sizeof(int64_t));
  made->table = make(sequences, pages, sizeof(int64_t));
  made->memory_table = make(sequences, pages, sizeof(int64_t));
  made->memory_lengths = make(sequences, 1, sizeof(int64_t));
  made->dims = make(made->program->dim_count, 1, sizeof(int64_t));
  made->inputs = make(made->program->input_count, 1, sizeof(void *));
  for (size_t s = 0; made->sequences && s < sequences; ++s)
    made->sequences[s].number = -1;
  return made->cache && attn_pages_create(&made->pages, pages) &&
         made->sequences && made->logits && made->call_logits &&
         made->members && made->tokens && made->counts && made->past &&
         made->table && made->memory_table && made->memory_lengths &&
         made->dims && made->inputs;
}

attn_status attn_generator_create(const attn_program *program,
                                  const attn_model *model,
                                  const attn_generator_options *options,
                                  attn_generator **generator,
                                  attn_error *error) {
  if (!program || !model || !options || !generator)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "attn_generator_create: an argument is NULL");
  *generator = NULL;
  attn_status status = check_program(program, error);
  if (status != ATTN_OK)
    return status;
  if (!options->pages || !options->sequences ||
      (options->tokens && options->tokens < options->sequences))
    return attn_generate_fail(
        error, ATTN_INVALID_ARGUMENT,
        "expects at least one page, one sequence and a token for each, but got "
        "%zu, %zu and %zu",
        options->pages, options->sequences, options->tokens);
  attn_generator *made = malloc(sizeof(*made));
  if (made)
    set_up(made, program, model, options);
  if (!made || !allocate(made)) {
    attn_generator_destroy(made);
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate %zu pages of %lld bytes for %zu "
                              "sequences",
                              options->pages,
                              (long long)program->cache->page_bytes,
                              options->sequences);
  }
  status = attn_sampler_create((size_t)made->vocabulary, &made->sampler, error);
  if (status != ATTN_OK) {
    attn_generator_destroy(made);
    return status;
  }
  *generator = made;
  return ATTN_OK;
}

void attn_generator_destroy(attn_generator *generator) {
  if (!generator)
    return;
  for (size_t s = 0; generator->sequences && s < generator->max_sequences; ++s)
    if (generator->sequences[s].number >= 0)
      attn_sequence_destroy(&generator->sequences[s]);
  attn_pages_destroy(&generator->pages);
  attn_sampler_destroy(generator->sampler);
  void *owned[] = {
      generator->cache,        generator->sequences,      generator->logits,
      generator->call_logits,  generator->members,        generator->tokens,
      generator->counts,       generator->past,           generator->table,
      generator->memory_table, generator->memory_lengths, generator->dims,
      generator->inputs,       generator->workspace};
  for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); ++i)
    free(owned[i]);
  free(generator);
}

/*===-- Sequences
 * ------------------------------------------------------------===*/

static sequence *find(const attn_generator *generator, int64_t number) {
  for (size_t s = 0; generator && number >= 0 && s < generator->max_sequences;
       ++s)
    if (generator->sequences[s].number == number)
      return &generator->sequences[s];
  return NULL;
}

static attn_status free_slot(attn_generator *generator, sequence **slot,
                             attn_error *error) {
  for (size_t s = 0; s < generator->max_sequences; ++s)
    if (generator->sequences[s].number < 0) {
      *slot = &generator->sequences[s];
      return ATTN_OK;
    }
  return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                            "all %zu sequences are in use",
                            generator->max_sequences);
}

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

/* The pages that hold all tokens but the last, which nothing follows. */
static size_t pages_for(const attn_program *program, size_t limit) {
  return limit > 1 ? attn_blocks_of(program, limit - 1) : 1;
}

size_t attn_request_pages(const attn_program *program,
                          const attn_request *request) {
  if (!program || !request || !program->cache)
    return 0;
  size_t pages = pages_for(program, limit_of(program, request));
  if (!program->part_count)
    return pages;
  const attn_program *encoder = program->parts[0];
  int64_t *dims = calloc(encoder->dim_count + 1, sizeof(*dims));
  if (!dims)
    return 0;
  int64_t length = attn_source_length(encoder, request->source_dims, dims);
  free(dims);
  return length > 0 ? pages + attn_blocks_of(encoder, (size_t)length) : pages;
}

static attn_status take_pages(attn_generator *generator, sequence *into,
                              size_t first, attn_error *error) {
  size_t count = into->page_count - first;
  if (attn_pages_take(&generator->pages, count, into->pages + first))
    return ATTN_OK;
  return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                            "the sequence needs %zu pages, but %zu are free",
                            count, generator->pages.free_count);
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
  size_t pages =
      pages_for(generator->program, limit_of(generator->program, request));
  if (pages > generator->cache_pages)
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "the sequence needs %zu pages, but the cache has "
                              "%zu",
                              pages, generator->cache_pages);
  return check_prompt(generator, request, error);
}

static void discard(attn_generator *generator, sequence *ended,
                    size_t page_count) {
  attn_pages_release(&generator->pages, page_count, ended->pages);
  attn_pages_release(&generator->pages, ended->memory_count, ended->memory);
  attn_sequence_destroy(ended);
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
    status = free_slot(generator, &slot, error);
  if (status != ATTN_OK)
    return status;
  size_t limit = limit_of(generator->program, request);
  if (!attn_sequence_create(slot, request, limit,
                            pages_for(generator->program, limit), 0)) {
    attn_sequence_destroy(slot);
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a sequence of %zu tokens",
                              limit);
  }
  status = take_pages(generator, slot, 0, error);
  size_t taken = status == ATTN_OK ? slot->page_count : 0;
  if (status == ATTN_OK && generator->encoder)
    status = attn_encode_source(generator, request, slot, error);
  if (status != ATTN_OK) {
    discard(generator, slot, taken);
    return status;
  }
  *number = slot->number = generator->next_number++;
  return ATTN_OK;
}

/* Whole pages of the past are the original's; the one that is not full is a
   copy. */
static attn_status fork_pages(attn_generator *generator,
                              const sequence *original, sequence *copy,
                              attn_error *error) {
  const attn_cache_info *info = generator->program->cache;
  size_t full = original->past / (size_t)info->page_tokens;
  attn_status status = take_pages(generator, copy, full, error);
  if (status != ATTN_OK)
    return status;
  memcpy(copy->pages, original->pages, full * sizeof(int64_t));
  attn_pages_share(&generator->pages, full, copy->pages);
  if (copy->memory_count)
    memcpy(copy->memory, original->memory,
           copy->memory_count * sizeof(int64_t));
  attn_pages_share(&generator->pages, copy->memory_count, copy->memory);
  if (original->past % (size_t)info->page_tokens)
    memcpy((char *)generator->cache + copy->pages[full] * info->page_bytes,
           (char *)generator->cache + original->pages[full] * info->page_bytes,
           (size_t)info->page_bytes);
  return ATTN_OK;
}

attn_status attn_generator_fork(attn_generator *generator, int64_t number,
                                int64_t token, const attn_sampling *sampling,
                                int64_t *copy, attn_error *error) {
  sequence *original = find(generator, number), *slot = NULL;
  if (!original || !copy)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "there is no sequence %lld", (long long)number);
  if (original->count == original->prompt)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "sequence %lld has no new token yet",
                              (long long)number);
  attn_status status = free_slot(generator, &slot, error);
  if (status != ATTN_OK)
    return status;
  if (!attn_sequence_copy(slot, original, sampling)) {
    attn_sequence_destroy(slot);
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a sequence of %zu tokens",
                              original->limit);
  }
  status = fork_pages(generator, original, slot, error);
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

void attn_generator_drop(attn_generator *generator, int64_t number) {
  sequence *ended = find(generator, number);
  if (ended)
    discard(generator, ended, ended->page_count);
}

const int64_t *attn_generator_tokens(const attn_generator *generator,
                                     int64_t number, size_t *count) {
  const sequence *that = find(generator, number);
  if (count)
    *count = that ? that->count : 0;
  return that ? that->tokens : NULL;
}

const float *attn_generator_logits(const attn_generator *generator,
                                   int64_t number) {
  const sequence *that = find(generator, number);
  if (!that || that->count == that->prompt)
    return NULL;
  return generator->logits +
         (size_t)(that - generator->sequences) * (size_t)generator->vocabulary;
}

/*===-- Steps
 * ----------------------------------------------------------------===*/

/* Every sequence that goes on has a token in the call; prompts share what room
   is left, in the order of their places. */
static void choose_members(attn_generator *generator) {
  size_t going = 0, members = 0;
  for (size_t s = 0; s < generator->max_sequences; ++s)
    going +=
        generator->sequences[s].number >= 0 && generator->sequences[s].goes_on;
  size_t room = generator->max_tokens - going;
  for (size_t s = 0; s < generator->max_sequences; ++s) {
    const sequence *that = &generator->sequences[s];
    if (that->number < 0 || !that->goes_on)
      continue;
    size_t more = that->count - that->past - 1;
    more = more < room ? more : room;
    room -= more;
    generator->members[members] = s;
    generator->counts[members++] = (int64_t)(1 + more);
  }
  generator->member_count = members;
}

/* Chooses the token behind a sequence's last one, unless tokens of its prompt
   are still to come. */
static attn_status advance(attn_generator *generator, size_t member,
                           attn_error *error) {
  sequence *that = &generator->sequences[generator->members[member]];
  size_t row = (size_t)generator->vocabulary;
  const float *logits = generator->call_logits + member * row;
  if (that->past + (size_t)generator->counts[member] < that->count) {
    that->past += (size_t)generator->counts[member];
    return ATTN_OK;
  }
  int64_t next;
  attn_status status =
      attn_sampler_next(generator->sampler, &that->sampling, logits,
                        that->tokens, that->count, &next, error);
  if (status != ATTN_OK)
    return status;
  memcpy(generator->logits + generator->members[member] * row, logits,
         row * sizeof(float));
  that->past = that->count;
  that->tokens[that->count++] = next;
  that->goes_on = !attn_sequence_ends(that);
  if (that->on_token)
    that->on_token(that->context, that->number, next, !that->goes_on);
  return ATTN_OK;
}

attn_status attn_generator_step(attn_generator *generator, size_t *active,
                                attn_error *error) {
  if (!generator)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "generator is NULL");
  choose_members(generator);
  attn_status status = ATTN_OK;
  if (generator->member_count)
    status = attn_call_step(generator, error);
  size_t left = 0;
  for (size_t m = 0; status == ATTN_OK && m < generator->member_count; ++m) {
    status = advance(generator, m, error);
    left += generator->sequences[generator->members[m]].goes_on;
  }
  if (active)
    *active = left;
  return status;
}
