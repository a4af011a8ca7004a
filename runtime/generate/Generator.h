/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of a generator share. */

#ifndef ATTN_RUNTIME_GENERATE_GENERATOR_H
#define ATTN_RUNTIME_GENERATE_GENERATOR_H

#include "runtime/generate/Sequence.h"

enum { ROLES = ATTN_ROLE_MEMORY_LENGTHS + 1 };

/* Where the inputs of a role stand in a program; -1: nowhere. */
typedef struct role_map {
  int32_t input[ROLES];
} role_map;

struct attn_generator {
  const attn_program *program;
  const attn_model *model;
  const attn_program *encoder; /* NULL for a decoder alone */
  const attn_model *encoder_model;
  role_map roles, encoder_roles;
  attn_executor executor;
  bool has_executor;
  size_t max_sequences, max_tokens;
  int64_t vocabulary;

  float *cache;
  size_t cache_pages;
  page_pool pages;
  sequence *sequences;
  float *logits; /* a row for each of them */
  int64_t next_number;
  attn_sampler *sampler;

  /* One call: which sequences take part, and its inputs and outputs. */
  size_t *members;
  size_t member_count;
  int64_t *tokens, *counts, *past, *table, *memory_table, *memory_lengths;
  size_t table_columns;
  float *call_logits;
  int64_t *dims;
  const void **inputs;
  void *workspace;
  size_t workspace_bytes;
};

#define attn_make attn_generate_make
#define attn_find_sequence attn_generate_find_sequence
#define attn_free_slot attn_generate_free_slot
#define attn_largest_part attn_generate_largest_part
#define attn_check_left attn_generate_check_left
#define attn_release_pages attn_generate_release_pages
#define attn_fork_pages attn_generate_fork_pages
#define attn_map_roles attn_generate_map_roles
#define attn_dim_of attn_generate_dim_of
#define attn_blocks_of attn_generate_blocks_of
#define attn_source_length attn_generate_source_length
#define attn_call_step attn_generate_call_step
#define attn_encode_source attn_generate_encode_source

#pragma GCC visibility push(hidden)
/* calloc of count * factor elements; NULL where that is too much. */
void *attn_make(size_t count, size_t factor, size_t bytes);
/* The first of a number, which the beams of a search share; or NULL. */
sequence *attn_find_sequence(const attn_generator *generator, int64_t number);
attn_status attn_free_slot(attn_generator *generator, sequence **slot,
                           attn_error *error);
/* The most tokens of one sequence in a call. */
size_t attn_largest_part(const attn_program *program);
/* An error where fewer pages are left. */
attn_status attn_check_left(const attn_generator *generator, size_t count,
                            attn_error *error);
/* Gives back what pages a sequence has. */
void attn_release_pages(attn_generator *generator, sequence *that);
/* Whole pages of the past become the original's; the one that is not full is
   copied, and others are new. */
attn_status attn_fork_pages(attn_generator *generator, const sequence *original,
                            sequence *copy, attn_error *error);
/* The last input of each role. */
role_map attn_map_roles(const attn_program *program);
/* The dynamic dimension that is size `axis` of the input of a role; -1 where it
   is static or there is no such input. */
int64_t attn_dim_of(const attn_program *program, const role_map *roles,
                    attn_role role, int32_t axis);
/* Pages for so many positions. */
size_t attn_blocks_of(const attn_program *program, size_t positions);
/* Sets the sizes of the encoder's program that a request gives, all but those
   of pages and cache, and returns the positions that it will write. */
int64_t attn_source_length(const attn_program *encoder,
                           const int64_t *source_dims, int64_t *dims);
/* Runs the model for the members of a call, `next` tokens of each, and leaves
   their rows in call_logits. */
attn_status attn_call_step(attn_generator *generator, attn_error *error);
/* Encodes the source of a request to pages of the sequence. */
attn_status attn_encode_source(attn_generator *generator,
                               const attn_request *request, sequence *into,
                               attn_error *error);
#pragma GCC visibility pop

#endif /* ATTN_RUNTIME_GENERATE_GENERATOR_H */
