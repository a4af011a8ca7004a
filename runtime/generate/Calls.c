/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls of a model's programs: their inputs by role, and their sizes. */

#define _POSIX_C_SOURCE 200809L

#include "runtime/generate/Failure.h"
#include "runtime/generate/Generator.h"

#include <stdlib.h>
#include <string.h>

role_map attn_map_roles(const attn_program *program) {
  role_map roles;
  for (int role = 0; role < ROLES; ++role)
    roles.input[role] = -1;
  for (uint32_t i = 0; i < program->input_count; ++i)
    roles.input[program->inputs[i].role] = (int32_t)i;
  return roles;
}

int64_t attn_dim_of(const attn_program *program, const role_map *roles,
                    attn_role role, int32_t axis) {
  int32_t input = roles->input[role];
  if (input < 0)
    return -1;
  int64_t size = program->inputs[input].shape[axis];
  return size < 0 ? -1 - size : -1;
}

static void set_size(const attn_generator *generator, attn_role role,
                     int32_t axis, size_t size) {
  int64_t dim = attn_dim_of(generator->program, &generator->roles, role, axis);
  if (dim >= 0)
    generator->dims[dim] = (int64_t)size;
}

static void set_input(const attn_generator *generator, attn_role role,
                      const void *data) {
  int32_t input = generator->roles.input[role];
  if (input >= 0)
    generator->inputs[input] = data;
}

size_t attn_blocks_of(const attn_program *program, size_t positions) {
  size_t tokens = (size_t)program->cache->page_tokens;
  return positions / tokens + (positions % tokens != 0);
}

/* The blocks of a member of a call. */
static size_t used_blocks(const attn_generator *generator, bool memory,
                          size_t member) {
  const sequence *that = &generator->sequences[generator->members[member]];
  return memory
             ? that->memory_count
             : attn_blocks_of(generator->program,
                              that->past + (size_t)generator->counts[member]);
}

/* The rows of a table of pages, as long as the longest. What a shorter row has
   behind its pages is not read. */
static size_t fill_table(const attn_generator *generator, bool memory,
                         int64_t *table) {
  size_t columns = 1;
  for (size_t m = 0; m < generator->member_count; ++m) {
    size_t used = used_blocks(generator, memory, m);
    columns = used > columns ? used : columns;
  }
  for (size_t m = 0; m < generator->member_count; ++m) {
    const sequence *that = &generator->sequences[generator->members[m]];
    const int64_t *pages = memory ? that->memory : that->pages;
    size_t count = memory ? that->memory_count : that->page_count;
    size_t used = used_blocks(generator, memory, m);
    for (size_t b = 0; b < columns; ++b)
      table[m * columns + b] = b < used ? pages[b % count] : -1;
  }
  return columns;
}

static size_t gather_tokens(const attn_generator *generator) {
  size_t total = 0;
  for (size_t m = 0; m < generator->member_count; ++m) {
    const sequence *that = &generator->sequences[generator->members[m]];
    size_t count = (size_t)generator->counts[m];
    memcpy(generator->tokens + total, that->tokens + that->past,
           count * sizeof(int64_t));
    generator->past[m] = (int64_t)that->past;
    generator->memory_lengths[m] = that->memory_length;
    total += count;
  }
  return total;
}

static void bind(attn_generator *generator) {
  size_t total = gather_tokens(generator);
  set_size(generator, ATTN_ROLE_TOKENS, 1, total);
  set_size(generator, ATTN_ROLE_COUNTS, 0, generator->member_count);
  set_size(generator, ATTN_ROLE_PAGES, 1,
           fill_table(generator, false, generator->table));
  set_size(generator, ATTN_ROLE_CACHE, 0, generator->cache_pages);
  if (generator->encoder)
    set_size(generator, ATTN_ROLE_MEMORY_PAGES, 1,
             fill_table(generator, true, generator->memory_table));
  set_input(generator, ATTN_ROLE_TOKENS, generator->tokens);
  set_input(generator, ATTN_ROLE_COUNTS, generator->counts);
  set_input(generator, ATTN_ROLE_PAST, generator->past);
  set_input(generator, ATTN_ROLE_PAGES, generator->table);
  set_input(generator, ATTN_ROLE_CACHE, generator->cache);
  set_input(generator, ATTN_ROLE_MEMORY_PAGES, generator->memory_table);
  set_input(generator, ATTN_ROLE_MEMORY_LENGTHS, generator->memory_lengths);
}

/* The workspace grows with the largest call so far. */
static attn_status reserve(attn_generator *generator, attn_error *error) {
  size_t bytes;
  size_t slots = generator->has_executor ? generator->executor.slots : 1;
  attn_status status = generator->program->functions->workspace_bytes(
      generator->model, generator->dims, slots, &bytes, error);
  if (status != ATTN_OK || bytes <= generator->workspace_bytes)
    return status;
  void *larger;
  if (posix_memalign(&larger, ATTN_WORKSPACE_ALIGNMENT, bytes) != 0)
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate %zu bytes of workspace", bytes);
  free(generator->workspace);
  generator->workspace = larger;
  generator->workspace_bytes = bytes;
  return ATTN_OK;
}

attn_status attn_call_step(attn_generator *generator, attn_error *error) {
  const attn_functions *functions = generator->program->functions;
  bind(generator);
  attn_status status = reserve(generator, error);
  attn_run *run;
  if (status == ATTN_OK)
    status = functions->prepare(
        generator->model, generator->has_executor ? &generator->executor : NULL,
        generator->workspace, generator->workspace_bytes, generator->dims, &run,
        error);
  void *outputs[] = {generator->call_logits};
  return status == ATTN_OK
             ? functions->run(run, generator->inputs, outputs, error)
             : status;
}

/*===-- The encoder
 * ----------------------------------------------------------===*/

int64_t attn_source_length(const attn_program *encoder,
                           const int64_t *source_dims, int64_t *dims) {
  role_map roles = attn_map_roles(encoder);
  int64_t blocks = attn_dim_of(encoder, &roles, ATTN_ROLE_MEMORY_PAGES, 1);
  int64_t pages = attn_dim_of(encoder, &roles, ATTN_ROLE_CACHE, 0);
  size_t given = 0;
  for (uint32_t d = 0; d < encoder->dim_count; ++d)
    if (d != blocks && d != pages)
      dims[d] = source_dims ? source_dims[given++] : 0;
  int64_t length = encoder->cache->memory_length;
  return length < 0 ? dims[-1 - length] : length;
}

static attn_status take_memory(attn_generator *generator, sequence *into,
                               attn_error *error) {
  if (into->memory_length < 1)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "expects a source of at least one position, but "
                              "got %lld",
                              (long long)into->memory_length);
  size_t count =
      attn_blocks_of(generator->encoder, (size_t)into->memory_length);
  if (count > attn_pages_left(&generator->pages))
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "the source needs %zu pages, but %zu are free",
                              count, attn_pages_left(&generator->pages));
  int64_t *pages = calloc(count, sizeof(*pages));
  if (!pages)
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a table of %zu pages", count);
  attn_pages_take(&generator->pages, count, pages);
  free(into->memory);
  into->memory = pages;
  into->memory_count = count;
  return ATTN_OK;
}

static attn_status run_encoder(attn_generator *generator,
                               const attn_request *request,
                               const sequence *into, int64_t *dims,
                               const void **inputs, attn_error *error) {
  const attn_program *encoder = generator->encoder;
  const role_map *roles = &generator->encoder_roles;
  int64_t blocks = attn_dim_of(encoder, roles, ATTN_ROLE_MEMORY_PAGES, 1);
  int64_t pages = attn_dim_of(encoder, roles, ATTN_ROLE_CACHE, 0);
  if (blocks >= 0)
    dims[blocks] = (int64_t)into->memory_count;
  if (pages >= 0)
    dims[pages] = (int64_t)generator->cache_pages;
  size_t given = 0;
  for (uint32_t i = 0; i < encoder->input_count; ++i)
    if (encoder->inputs[i].role == ATTN_ROLE_NONE)
      inputs[i] = request->source[given++];
  inputs[roles->input[ATTN_ROLE_MEMORY_PAGES]] = into->memory;
  inputs[roles->input[ATTN_ROLE_CACHE]] = generator->cache;
  void *none[1] = {NULL};
  return encoder->functions->call(generator->encoder_model,
                                  generator->has_executor ? &generator->executor
                                                          : NULL,
                                  dims, inputs, none, error);
}

attn_status attn_encode_source(attn_generator *generator,
                               const attn_request *request, sequence *into,
                               attn_error *error) {
  const attn_program *encoder = generator->encoder;
  if (!request->source)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "'%s' expects a source to encode, but got NULL",
                              generator->program->name);
  int64_t *dims = calloc(encoder->dim_count + 1, sizeof(*dims));
  const void **inputs = calloc(encoder->input_count, sizeof(*inputs));
  attn_status status = ATTN_OK;
  if (!dims || !inputs)
    status = attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                                "cannot allocate the inputs of the encoder");
  if (status == ATTN_OK) {
    into->memory_length =
        attn_source_length(encoder, request->source_dims, dims);
    status = take_memory(generator, into, error);
  }
  if (status == ATTN_OK)
    status = run_encoder(generator, request, into, dims, inputs, error);
  free(dims);
  free(inputs);
  return status;
}
