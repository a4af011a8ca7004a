/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Generation for compiled models that have a key and value cache: the choice of
   the next token, and a generator that keeps many sequences going at once. Link
   with attn_generate; it needs libc and nothing else. Programs that have a
   scheduler of their own need none of this: the header of a model says how its
   steps are called. */

#ifndef ATTN_GENERATE_H
#define ATTN_GENERATE_H

#include <stdbool.h>

#include "attn/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the next token of a sequence is chosen. All zero: the likeliest, the one
   of the lowest id among equals. What is set applies in this order, each as in
   generate() of transformers. */
typedef struct attn_sampling {
  /* Logits of tokens that the sequence has already (its prompt included) are
     divided by it where they are positive, multiplied where negative; each
     token once. 0 and 1: not at all. */
  double repetition_penalty;
  /* A token is not chosen where it would complete so many tokens that the
     sequence has in a row already. 0: it may. */
  size_t no_repeat_ngram;
  /* Tokens that are not chosen behind fewer than min_tokens tokens, the
     prompt's included: those that end a sequence. */
  const int64_t *ends;
  size_t end_count, min_tokens;
  /* The token that makes a sequence of forced_at tokens is forced_token. 0:
     none is. */
  size_t forced_at;
  int64_t forced_token;
  /* Tokens that are never chosen. */
  const int64_t *suppressed;
  size_t suppressed_count;
  /* Tokens that are not chosen right behind the first begin_at tokens. */
  const int64_t *begin_suppressed;
  size_t begin_suppressed_count, begin_at;
  /* 0: the likeliest token, and nothing below applies. Otherwise tokens are
     drawn from softmax(logits / temperature). */
  double temperature;
  /* Draws from the likeliest top_k tokens, and those equal to the last. 0: from
     all. */
  size_t top_k;
  /* Draws from the likeliest tokens whose probabilities, among what top_k left,
     first add up to top_p. 0 and 1: from all. */
  double top_p;
  /* The draw depends on the seed and on how many tokens the sequence has, not
     on other sequences, threads or the machine. Equal prompts with equal seeds
     give equal tokens. */
  uint64_t seed;
} attn_sampling;

/* Memory for the choice of one token at a time. */
typedef struct attn_sampler attn_sampler;

/* `vocabulary`: the number of logits of a row. On failure *sampler is NULL. */
attn_status attn_sampler_create(size_t vocabulary, attn_sampler **sampler,
                                attn_error *error);
/* NULL is allowed. */
void attn_sampler_destroy(attn_sampler *sampler);
/* The token that follows `tokens`, all that the sequence has. Allocates
   nothing. Logits that are NaN or positive infinity are ATTN_OUT_OF_RANGE, as
   are those that leave no token to choose. */
attn_status attn_sampler_next(attn_sampler *sampler,
                              const attn_sampling *sampling,
                              const float *logits, const int64_t *tokens,
                              size_t token_count, int64_t *next,
                              attn_error *error);

/* Many sequences of one model, its cache and their places in it. One thread at
   a time uses a generator. */
typedef struct attn_generator attn_generator;

typedef struct attn_generator_options {
  /* Pages of the cache, which the generator allocates: program->cache says what
     one holds. */
  size_t pages;
  /* The most sequences at a time. */
  size_t sequences;
  /* The most new tokens in one call of the model, at least `sequences`: longer
     prompts are read in parts, so that others need not wait. 0: 512, or
     `sequences` where that is more. */
  size_t tokens;
  /* Copied; its context stays the caller's. NULL: the calling thread. */
  const attn_executor *executor;
} attn_generator_options;

/* When a beam search has as many texts as beams, and ends (early_stopping of
   transformers). */
typedef enum attn_beam_stop {
  ATTN_BEAM_STOP_LIKELY = 0, /* no beam is better now than the worst text */
  ATTN_BEAM_STOP_EARLY = 1,  /* at once */
  ATTN_BEAM_STOP_NEVER = 2   /* no beam could become better than the worst */
} attn_beam_stop;

/* What is to be generated. Everything is copied but `context`. */
typedef struct attn_request {
  /* At least one token; of an encoder-decoder, what the decoder begins with. */
  const int64_t *prompt;
  size_t prompt_count;
  /* Of an encoder-decoder: the encoder's inputs and the sizes of their dynamic
     dimensions, in the order of its program, without pages and cache. They are
     encoded before attn_generator_add returns. */
  const void *const *source;
  const int64_t *source_dims;
  /* Generation ends after so many tokens, at a stop token, which is kept, or
     where the model has no more positions. */
  size_t max_new_tokens;
  const int64_t *stop;
  size_t stop_count;
  attn_sampling sampling;
  /* Beam search, as in generate(num_beams) of transformers, over the logarithms
     of probabilities, to which the rules of `sampling` apply; no token is
     drawn. It takes the places of so many sequences. 0 and 1: none. */
  size_t beams;
  /* The score of a text is divided by its length to this power; 1 is usual. */
  double length_penalty;
  attn_beam_stop beam_stop;
  /* So many of the prompt's last tokens count for that length: forced ones. */
  size_t counted_prompt;
  /* Called for each new token, within attn_generator_step; `last` with the one
     that ends the sequence; for the tokens of a beam search when it ends. It
     may not use the generator. May be NULL. */
  void (*on_token)(void *context, int64_t sequence, int64_t token, bool last);
  void *context;
} attn_request;

/* The pages that attn_generator_add sets aside for a request, the encoder's
   included; 0 for a program without a cache. To size a cache by. */
size_t attn_request_pages(const attn_program *program,
                          const attn_request *request);

/* `model`, opened from `program`, outlives the generator. On failure *generator
   is NULL. */
attn_status attn_generator_create(const attn_program *program,
                                  const attn_model *model,
                                  const attn_generator_options *options,
                                  attn_generator **generator,
                                  attn_error *error);
/* NULL is allowed. */
void attn_generator_destroy(attn_generator *generator);

/* Lets a sequence join and gives it a number. Pages for all that it may become
   are set aside: ATTN_OUT_OF_MEMORY where there are too few, or too many
   sequences already; it may succeed after attn_generator_drop. */
attn_status attn_generator_add(attn_generator *generator,
                               const attn_request *request, int64_t *sequence,
                               attn_error *error);

/* Lets a copy of a sequence join, which goes on alone: with `sampling` (NULL:
   as the original) and, unless `token` is negative, with `token` in place of
   the last one. Full pages are shared, the last one is copied. */
attn_status attn_generator_fork(attn_generator *generator, int64_t sequence,
                                int64_t token, const attn_sampling *sampling,
                                int64_t *copy, attn_error *error);

/* Calls the model once, for all sequences that go on, and chooses their next
   tokens. *active (which may be NULL) is how many go on after it, each beam of
   a search counted; with none, nothing is done. */
attn_status attn_generator_step(attn_generator *generator, size_t *active,
                                attn_error *error);

/* All tokens of a sequence, its prompt included, until the next call that
   changes it; of a beam search, the best so far. NULL where there is no such
   sequence. */
const int64_t *attn_generator_tokens(const attn_generator *generator,
                                     int64_t sequence, size_t *count);
/* The text of a beam search that ended, by its place: 0 is the best, and the
   tokens of the sequence. NULL where there are no more. */
const int64_t *attn_generator_text(const attn_generator *generator,
                                   int64_t sequence, size_t index,
                                   size_t *count, double *score);
/* The logits that its last token was chosen from, as above; NULL for a beam
   search. */
const float *attn_generator_logits(const attn_generator *generator,
                                   int64_t sequence);

/* Ends a sequence, whether it goes on or not, and takes its pages back. A
   number that is none does nothing. */
void attn_generator_drop(attn_generator *generator, int64_t sequence);

#ifdef __cplusplus
}
#endif

#endif /* ATTN_GENERATE_H */
