/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Many sequences of one model: what a call of the model holds, and what becomes
   of its results. */

#define _POSIX_C_SOURCE 200809L

#include "runtime/generate/Generator.h"
#include "runtime/generate/Beams.h"
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
  made->pages.replaces = program->cache->window > 0;
  made->has_executor = options->executor != NULL;
  if (options->executor)
    made->executor = *options->executor;
}

void *attn_make(size_t count, size_t factor, size_t bytes) {
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
  made->sequences = attn_make(sequences, 1, sizeof(sequence));
  made->logits = attn_make(sequences, vocabulary, sizeof(float));
  made->call_logits = attn_make(sequences, vocabulary, sizeof(float));
  made->members = attn_make(sequences, 1, sizeof(size_t));
  made->tokens = attn_make(made->max_tokens, 1, sizeof(int64_t));
  made->counts = attn_make(sequences, 1, sizeof(int64_t));
  made->past = attn_make(sequences, 1, sizeof(int64_t));
  made->memory_table = attn_make(sequences, pages, sizeof(int64_t));
  made->memory_lengths = attn_make(sequences, 1, sizeof(int64_t));
  made->dims = attn_make(made->program->dim_count, 1, sizeof(int64_t));
  made->inputs = attn_make(made->program->input_count, 1, sizeof(void *));
  for (size_t s = 0; made->sequences && s < sequences; ++s)
    made->sequences[s].number = -1;
  return made->cache && attn_pages_create(&made->pages, pages) &&
         made->sequences && made->logits && made->call_logits &&
         made->members && made->tokens && made->counts && made->past &&
         made->memory_table && made->memory_lengths && made->dims &&
         made->inputs;
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
    attn_generator_drop(generator, generator->sequences[s].number);
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

/*===-- Steps
 * ----------------------------------------------------------------===*/

static size_t count_going(const attn_generator *generator) {
  size_t going = 0;
  for (size_t s = 0; s < generator->max_sequences; ++s)
    going +=
        generator->sequences[s].number >= 0 && generator->sequences[s].goes_on;
  return going;
}

/* New blocks take the pages of those that a window has left behind, which a
   fork may still read. */
static void renew_pages(attn_generator *generator, sequence *that,
                        size_t count) {
  const attn_program *program = generator->program;
  size_t end = attn_blocks_of(program, that->past + count);
  for (size_t b = attn_blocks_of(program, that->past); b < end; ++b)
    if (b >= that->page_count)
      attn_pages_replace(&generator->pages, &that->pages[b % that->page_count]);
}

/* Every sequence that goes on has a token in the call; prompts share what room
   is left, in the order of their places. */
static void choose_members(attn_generator *generator) {
  size_t members = 0, room = generator->max_tokens - count_going(generator),
         most = attn_largest_part(generator->program);
  for (size_t s = 0; s < generator->max_sequences; ++s) {
    sequence *that = &generator->sequences[s];
    if (that->number < 0 || !that->goes_on)
      continue;
    size_t more = that->count - that->past - 1;
    more = more < room ? more : room;
    more = more < most ? more : most - 1;
    room -= more;
    generator->members[members] = s;
    generator->counts[members++] = (int64_t)(1 + more);
    renew_pages(generator, that, 1 + more);
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
  if (that->search) {
    memcpy(generator->logits + generator->members[member] * row, logits,
           row * sizeof(float));
    that->past = that->count;
    that->search->due = true;
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
  for (size_t m = 0; status == ATTN_OK && m < generator->member_count; ++m)
    status = advance(generator, m, error);
  for (size_t s = 0; status == ATTN_OK && s < generator->max_sequences; ++s) {
    beam_search *search = generator->sequences[s].search;
    if (search && search->due)
      status = attn_search_advance(generator, search, error);
  }
  if (active)
    *active = count_going(generator);
  return status;
}
