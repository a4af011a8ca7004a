/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls the kernel alibi and compares it with plain loops in double. */

#include "alibi.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 2, HEADS = 3, QUERIES = 9, KEYS = 21, WIDTH = 8 };

static float queries[BATCH * HEADS * QUERIES * WIDTH];
static float keys[BATCH * HEADS * KEYS * WIDTH];
static float values[BATCH * HEADS * KEYS * WIDTH];
static float result[BATCH * HEADS * QUERIES * WIDTH];

static void fill(float *numbers, size_t count) {
  for (size_t i = 0; i < count; ++i)
    numbers[i] = (float)rand() / (float)RAND_MAX * 4 - 2;
}

/* The slopes of three heads: two of a power of two, one of the next. */
static const double slopes[HEADS] = {1. / 16, 1. / 256, 1. / 4};

static double score(const float *q, const float *k, int i, int j, int head) {
  double dot = 0;
  for (int d = 0; d < WIDTH; ++d)
    dot += (double)q[d] * k[d];
  return dot / sqrt(WIDTH) - slopes[head] * abs(i - j);
}

/* The largest difference in one row. */
static double check_row(const float *q, const float *k, const float *v,
                        const float *out, int i, int head) {
  double total = 0, sums[WIDTH] = {0}, worst = 0;
  for (int j = 0; j < KEYS && j <= i; ++j) {
    double weight = exp(score(q, k + j * WIDTH, i, j, head));
    total += weight;
    for (int d = 0; d < WIDTH; ++d)
      sums[d] += weight * v[j * WIDTH + d];
  }
  for (int d = 0; d < WIDTH; ++d)
    worst = fmax(worst, fabs(sums[d] / total - out[d]));
  return worst;
}

int main(void) {
  fill(queries, sizeof(queries) / sizeof(float));
  fill(keys, sizeof(keys) / sizeof(float));
  fill(values, sizeof(values) / sizeof(float));
  attn_model *model = NULL;
  attn_error error;
  alibi_dims dims = {.batch = BATCH, .M = QUERIES, .N = KEYS};
  alibi_inputs inputs = {.q = queries, .k = keys, .v = values};
  alibi_outputs outputs = {.out = result};
  if (alibi_open("weights", &model, &error) != ATTN_INVALID_ARGUMENT ||
      alibi_open(NULL, &model, &error) != ATTN_OK ||
      alibi_call(model, NULL, &dims, &inputs, &outputs, &error) != ATTN_OK) {
    fprintf(stderr, "kernel: %s\n", error.message);
    return 1;
  }
  double worst = 0;
  for (int b = 0; b < BATCH; ++b)
    for (int h = 0; h < HEADS; ++h)
      for (int i = 0; i < QUERIES; ++i) {
        int head = b * HEADS + h, row = (head * QUERIES + i) * WIDTH;
        worst = fmax(worst, check_row(queries + row, keys + head * KEYS * WIDTH,
                                      values + head * KEYS * WIDTH,
                                      result + row, i, h));
      }
  alibi_close(model);
  /* A softmax of at most 9 weights keeps all but a few units of float. */
  printf("%s: largest difference %g\n", worst < 2e-6 ? "agrees" : "differs",
         worst);
  return worst < 2e-6 ? 0 : 1;
}
