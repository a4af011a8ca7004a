/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The choice of the next token: the same on every machine. */

#include "runtime/generate/Failure.h"
#include "runtime/generate/Scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

attn_status attn_sampler_create(size_t vocabulary, attn_sampler **sampler,
                                attn_error *error) {
  if (!sampler)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT, "sampler is NULL");
  *sampler = NULL;
  size_t row = sizeof(double) + sizeof(candidate) + 1;
  if (vocabulary < 1 || vocabulary > (PTRDIFF_MAX - sizeof(attn_sampler)) / row)
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "expects a vocabulary of at least one token that "
                              "fits memory, but got %zu",
                              vocabulary);
  size_t bytes = sizeof(attn_sampler) + vocabulary * row;
  attn_sampler *made = calloc(1, bytes);
  if (!made)
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate %zu bytes", bytes);
  made->vocabulary = vocabulary;
  made->heap = (candidate *)(made + 1);
  made->scores = (double *)(made->heap + vocabulary);
  made->seen = (unsigned char *)(made->scores + vocabulary);
  *sampler = made;
  return ATTN_OK;
}

void attn_sampler_destroy(attn_sampler *sampler) { free(sampler); }

/*===-- Arithmetic
 * -----------------------------------------------------------===*/

/* SplitMix64's output function: every bit of the result depends on all of x. */
static uint64_t mix(uint64_t x) {
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* In [0, 1), of the seed's n-th draw. */
static double uniform(uint64_t seed, uint64_t n) {
  return (double)(mix(mix(seed) ^ n) >> 11) * 0x1p-53;
}

/* The token of the highest score, the lowest one of equals. */
static int64_t likeliest(const attn_sampler *sampler) {
  size_t best = 0;
  for (size_t v = 1; v < sampler->vocabulary; ++v)
    if (sampler->scores[v] > sampler->scores[best])
      best = v;
  return (int64_t)best;
}

/*===-- The heap of candidates, likeliest first
 * ------------------------------===*/

static bool precedes(candidate a, candidate b) {
  return a.score > b.score || (a.score == b.score && a.token < b.token);
}

static void sift(candidate *heap, size_t count, size_t parent) {
  candidate moved = heap[parent];
  for (size_t child; (child = 2 * parent + 1) < count; parent = child) {
    if (child + 1 < count && precedes(heap[child + 1], heap[child]))
      ++child;
    if (!precedes(heap[child], moved))
      break;
    heap[parent] = heap[child];
  }
  heap[parent] = moved;
}

/* Moves the likeliest of `count` candidates behind the others. */
static void pop(candidate *heap, size_t count) {
  candidate first = heap[0];
  heap[0] = heap[count - 1];
  sift(heap, count - 1, 0);
  heap[count - 1] = first;
}

static void build_heap(attn_sampler *sampler) {
  size_t count = sampler->vocabulary;
  for (size_t v = 0; v < count; ++v)
    sampler->heap[v] = (candidate){sampler->scores[v], (int64_t)v};
  for (size_t parent = count / 2; parent-- > 0;)
    sift(sampler->heap, count, parent);
}

/*===-- Drawing, by scores relative to the highest
 * ---------------------------===*/

/* The candidates that top_k leaves, sorted, from the end of the heap's array on
   downwards; their number. */
static size_t keep_top_k(attn_sampler *sampler, size_t k) {
  candidate *heap = sampler->heap;
  size_t left = sampler->vocabulary, kept = 0;
  while (left && (kept < k || heap[0].score == heap[left].score)) {
    pop(heap, left--);
    ++kept;
  }
  return kept;
}

/* From all tokens, in the order of their ids. */
static int64_t draw_from_all(const attn_sampler *sampler, double u) {
  double total = 0;
  for (size_t v = 0; v < sampler->vocabulary; ++v)
    total += attn_exponential(sampler->scores[v]);
  double left = u * total;
  int64_t last = 0;
  for (size_t v = 0; v < sampler->vocabulary; ++v) {
    double weight = attn_exponential(sampler->scores[v]);
    if (weight == 0)
      continue;
    last = (int64_t)v;
    if (left < weight)
      break;
    left -= weight;
  }
  return last;
}

/* The candidate that comes `i`-th, once that many are sorted. */
static candidate sorted_at(const attn_sampler *sampler, size_t i) {
  return sampler->heap[sampler->vocabulary - 1 - i];
}

/* From the first `count` sorted candidates, whose weights are `mass`. */
static int64_t draw_from_sorted(const attn_sampler *sampler, size_t count,
                                double mass, double u) {
  double left = u * mass;
  size_t i = 0;
  for (; i + 1 < count; ++i) {
    double weight = attn_exponential(sorted_at(sampler, i).score);
    if (left < weight)
      break;
    left -= weight;
  }
  return sorted_at(sampler, i).token;
}

/* From the likeliest tokens, in their order. */
static int64_t draw_from_top(attn_sampler *sampler,
                             const attn_sampling *sampling, double u) {
  build_heap(sampler);
  size_t vocabulary = sampler->vocabulary, sorted = 0, most = vocabulary;
  double total = 0;
  if (sampling->top_k && sampling->top_k < vocabulary) {
    most = sorted = keep_top_k(sampler, sampling->top_k);
    for (size_t i = 0; i < most; ++i)
      total += attn_exponential(sorted_at(sampler, i).score);
  } else {
    for (size_t v = 0; v < vocabulary; ++v)
      total += attn_exponential(sampler->scores[v]);
  }
  double share = sampling->top_p ? sampling->top_p * total : total, mass = 0;
  size_t kept = 0;
  for (; kept < most && mass < share; ++kept) {
    if (kept == sorted)
      pop(sampler->heap, vocabulary - sorted++);
    double weight = attn_exponential(sorted_at(sampler, kept).score);
    if (weight == 0)
      break;
    mass += weight;
  }
  return draw_from_sorted(sampler, kept, mass, u);
}

attn_status attn_sampler_next(attn_sampler *sampler,
                              const attn_sampling *sampling,
                              const float *logits, const int64_t *tokens,
                              size_t token_count, int64_t *next,
                              attn_error *error) {
  if (!sampler || !sampling || !logits || !next || (!tokens && token_count))
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "attn_sampler_next: an argument is NULL");
  attn_status status = attn_score_tokens(sampler, sampling, false, logits,
                                         tokens, token_count, error);
  if (status != ATTN_OK)
    return status;
  int64_t best = likeliest(sampler);
  *next = best;
  if (sampling->temperature == 0)
    return ATTN_OK;
  double max = sampler->scores[best], u = uniform(sampling->seed, token_count);
  for (size_t v = 0; v < sampler->vocabulary; ++v)
    sampler->scores[v] = (sampler->scores[v] - max) / sampling->temperature;
  bool all = !sampling->top_k && (!sampling->top_p || sampling->top_p == 1);
  *next = all ? draw_from_all(sampler, u) : draw_from_top(sampler, sampling, u);
  return ATTN_OK;
}
