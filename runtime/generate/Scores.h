/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the tokens that may follow a sequence are worth. */

#ifndef ATTN_RUNTIME_GENERATE_SCORES_H
#define ATTN_RUNTIME_GENERATE_SCORES_H

#include "attn/generate.h"

typedef struct candidate {
  double score;
  int64_t token;
} candidate;

struct attn_sampler {
  size_t vocabulary;
  double *scores;
  unsigned char *seen; /* 0 between calls */
  candidate *heap;
};

#define attn_exponential attn_generate_exponential
#define attn_logarithm attn_generate_logarithm
#define attn_score_tokens attn_generate_score_tokens

#pragma GCC visibility push(hidden)
/* e^x for x <= 0. */
double attn_exponential(double x);
/* The natural logarithm of a normal number. */
double attn_logarithm(double x);
/* Leaves in sampler->scores the logits, or the logarithms of their softmax,
   with the rules applied that do not depend on a draw; negative infinity for
   tokens that may not follow. At least one may. */
attn_status attn_score_tokens(attn_sampler *sampler, const attn_sampling *rules,
                              bool logarithms, const float *logits,
                              const int64_t *tokens, size_t count,
                              attn_error *error);
#pragma GCC visibility pop

#endif /* ATTN_RUNTIME_GENERATE_SCORES_H */
