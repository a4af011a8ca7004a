/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Beam search: several sequences of one request, of which the likeliest go on.
 */

#ifndef ATTN_RUNTIME_GENERATE_BEAMS_H
#define ATTN_RUNTIME_GENERATE_BEAMS_H

#include "runtime/generate/Generator.h"

/* A token behind a beam, and the score of all. */
typedef struct continuation {
  double score;
  size_t beam;
  int64_t token;
} continuation;

/* A text that ended. */
typedef struct text {
  int64_t *tokens;
  size_t count;
  double score;
} text;

typedef struct beam_search {
  int64_t number;
  size_t beams;
  double length_penalty;
  attn_beam_stop stop;
  size_t prompt; /* tokens that do not count for the length */
  /* All beams' places in the generator; the first `running` go on, each with
     the score of its tokens. The others have no pages but the promise of them.
   */
  size_t *places, running;
  double *scores;
  size_t pages_promised; /* to each */
  /* The likeliest continuations of all beams, then those that go on. */
  continuation *best, *next;
  size_t kept, best_count, next_count;
  size_t *next_places, *free_places;
  text *texts; /* the best first */
  size_t text_count;
  bool due; /* every running beam has new logits */
  bool ended;
} beam_search;

#define attn_search_begin attn_generate_search_begin
#define attn_search_destroy attn_generate_search_destroy
#define attn_search_advance attn_generate_search_advance
#define attn_search_tokens attn_generate_search_tokens
#define attn_search_text attn_generate_search_text

#pragma GCC visibility push(hidden)
/* Makes a sequence the first beam of a search, with places and pages for the
   others. */
attn_status attn_search_begin(attn_generator *generator,
                              const attn_request *request, sequence *first,
                              attn_error *error);
/* Frees a search, but not its sequences. */
void attn_search_destroy(attn_generator *generator, beam_search *search);
/* Chooses the continuations that go on. */
attn_status attn_search_advance(attn_generator *generator, beam_search *search,
                                attn_error *error);
/* The best text, or before there is one what the best beam has. */
const int64_t *attn_search_tokens(const attn_generator *generator,
                                  const beam_search *search, size_t *count);
const int64_t *attn_search_text(const beam_search *search, size_t index,
                                size_t *count, double *score);
#pragma GCC visibility pop

#endif /* ATTN_RUNTIME_GENERATE_BEAMS_H */
