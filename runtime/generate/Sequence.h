/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One sequence of a generator. */

#ifndef ATTN_RUNTIME_GENERATE_SEQUENCE_H
#define ATTN_RUNTIME_GENERATE_SEQUENCE_H

#include "attn/generate.h"
#include "runtime/generate/Pages.h"

typedef struct sequence {
  int64_t number; /* -1: no sequence */
  bool goes_on;
  /* All tokens, the prompt's first; `past` of them are in the cache. */
  int64_t *tokens;
  size_t count, prompt, past, limit;
  /* Set aside for `limit` tokens: block b has page b % page_count, which takes
     a new block when a window has left the old one behind. */
  int64_t *pages;
  size_t page_count;
  bool has_pages;
  struct beam_search *search; /* that this is a beam of; or NULL */
  /* The encoder's. */
  int64_t *memory;
  size_t memory_count;
  int64_t memory_length;
  int64_t *stop;
  size_t stop_count;
  attn_sampling sampling; /* its arrays are copies */
  void (*on_token)(void *context, int64_t sequence, int64_t token, bool last);
  void *context;
} sequence;

#define attn_sequence_create attn_generate_sequence_create
#define attn_sequence_copy attn_generate_sequence_copy
#define attn_sequence_destroy attn_generate_sequence_destroy
#define attn_sequence_ends attn_generate_sequence_ends

#pragma GCC visibility push(hidden)
/* Copies a request; `memory_count` pages are for the encoder, `page_count` for
   the tokens. False without memory; destroy frees what there is then, too. */
bool attn_sequence_create(sequence *made, const attn_request *request,
                          size_t limit, size_t page_count, size_t memory_count);
/* The same tokens and rules, without pages. */
bool attn_sequence_copy(sequence *made, const sequence *original,
                        const attn_sampling *sampling);
/* Frees the sequence's own memory; its pages are released before. */
void attn_sequence_destroy(sequence *ended);
/* Whether nothing follows the last token. */
bool attn_sequence_ends(const sequence *that);
#pragma GCC visibility pop

#endif /* ATTN_RUNTIME_GENERATE_SEQUENCE_H */
