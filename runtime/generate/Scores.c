/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Scores of tokens in double precision, with a fixed order of every sum and
   functions of our own: the same on every machine. */

#include "runtime/generate/Scores.h"
#include "runtime/generate/Failure.h"

#include <math.h>
#include <string.h>

/*===-- Arithmetic
 * -----------------------------------------------------------===*/

/* To about an ulp: 2^k e^r with |r| <= ln(2) / 2 and the
   Taylor polynomial of e^r. */
double attn_exponential(double x) {
  if (x < -708)
    return 0;
  int k = (int)(x * 1.4426950408889634 - 0.5);
  double r = x - k * 6.93147180369123816490e-01;
  r -= k * 1.90821492927058770002e-10;
  double sum = 1;
  for (int i = 14; i > 0; --i)
    sum = 1 + sum * r / i;
  uint64_t bits = (uint64_t)(1023 + k) << 52;
  double scale;
  memcpy(&scale, &bits, sizeof(scale));
  return sum * scale;
}

/* 2^e m with m near 1, and ln(m) = 2 artanh((m - 1) / (m + 1)). */
double attn_logarithm(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof(bits));
  int e = (int)(bits >> 52) - 1023;
  bits = (bits & UINT64_C(0xfffffffffffff)) | UINT64_C(1023) << 52;
  double m;
  memcpy(&m, &bits, sizeof(m));
  if (m > 1.4142135623730951) {
    m /= 2;
    ++e;
  }
  double s = (m - 1) / (m + 1), sum = 0;
  for (int i = 25; i > 0; i -= 2)
    sum = sum * (s * s) + 1.0 / i;
  return e * 1.90821492927058770002e-10 + 2 * s * sum +
         e * 6.93147180369123816490e-01;
}

/*===-- Rules
 * ----------------------------------------------------------------===*/

static attn_status check_sampling(const attn_sampling *sampling,
                                  attn_error *error) {
  if (!(sampling->temperature >= 0) || isinf(sampling->temperature))
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "expects a temperature of at least 0, but got %g",
                              sampling->temperature);
  if (!(sampling->top_p >= 0 && sampling->top_p <= 1))
    return attn_generate_fail(error, ATTN_INVALID_ARGUMENT,
                              "expects top_p in [0, 1], but got %g",
                              sampling->top_p);
  if (!(sampling->repetition_penalty >= 0) ||
      isinf(sampling->repetition_penalty))
    return attn_generate_fail(
        error, ATTN_INVALID_ARGUMENT,
        "expects a repetition penalty of at least 0, but got %g",
        sampling->repetition_penalty);
  return ATTN_OK;
}

static attn_status read_logits(attn_sampler *sampler, const float *logits,
                               attn_error *error) {
  for (size_t v = 0; v < sampler->vocabulary; ++v) {
    if (isnan(logits[v]) || (isinf(logits[v]) && logits[v] > 0))
      return attn_generate_fail(error, ATTN_OUT_OF_RANGE,
                                "the logit of token %zu is %s", v,
                                isnan(logits[v]) ? "NaN" : "infinite");
    sampler->scores[v] = logits[v];
  }
  return ATTN_OK;
}

static bool has_token(const attn_sampler *sampler, int64_t token) {
  return token >= 0 && (uint64_t)token < sampler->vocabulary;
}

static void penalize_repetition(attn_sampler *sampler, double penalty,
                                const int64_t *tokens, size_t count) {
  if (penalty == 0 || penalty == 1)
    return;
  for (size_t i = 0; i < count; ++i) {
    if (!has_token(sampler, tokens[i]) || sampler->seen[tokens[i]])
      continue;
    sampler->seen[tokens[i]] = 1;
    double *score = &sampler->scores[tokens[i]];
    *score = *score < 0 ? *score * penalty : *score / penalty;
  }
  for (size_t i = 0; i < count; ++i)
    if (has_token(sampler, tokens[i]))
      sampler->seen[tokens[i]] = 0;
}

static void suppress(attn_sampler *sampler, const int64_t *tokens,
                     size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (has_token(sampler, tokens[i]))
      sampler->scores[tokens[i]] = -INFINITY;
}

/* Tokens that would complete n tokens which the sequence has in a row already.
 */
static void suppress_repeated(attn_sampler *sampler, size_t n,
                              const int64_t *tokens, size_t count) {
  if (n == 0 || count + 1 < n)
    return;
  const int64_t *last = tokens + (count - (n - 1));
  for (size_t i = 0; i + n <= count; ++i)
    if (memcmp(tokens + i, last, (n - 1) * sizeof(*tokens)) == 0)
      suppress(sampler, &tokens[i + n - 1], 1);
}

/* Leaves one token. */
static void force(attn_sampler *sampler, int64_t token) {
  for (size_t v = 0; v < sampler->vocabulary; ++v)
    sampler->scores[v] = v == (uint64_t)token ? 0 : -INFINITY;
}

static void apply_rules(attn_sampler *sampler, const attn_sampling *rules,
                        const int64_t *tokens, size_t count) {
  penalize_repetition(sampler, rules->repetition_penalty, tokens, count);
  suppress_repeated(sampler, rules->no_repeat_ngram, tokens, count);
  if (count < rules->min_tokens)
    suppress(sampler, rules->ends, rules->end_count);
  if (rules->forced_at && count + 1 == rules->forced_at)
    force(sampler, rules->forced_token);
  suppress(sampler, rules->suppressed, rules->suppressed_count);
  if (count == rules->begin_at)
    suppress(sampler, rules->begin_suppressed, rules->begin_suppressed_count);
}

/* log(softmax(scores)) */
static void take_logarithms(attn_sampler *sampler) {
  double max = -INFINITY, sum = 0;
  for (size_t v = 0; v < sampler->vocabulary; ++v)
    max = sampler->scores[v] > max ? sampler->scores[v] : max;
  for (size_t v = 0; v < sampler->vocabulary && max > -INFINITY; ++v)
    sum += attn_exponential(sampler->scores[v] - max);
  double shift = max > -INFINITY ? max + attn_logarithm(sum) : 0;
  for (size_t v = 0; v < sampler->vocabulary; ++v)
    sampler->scores[v] -= shift;
}

attn_status attn_score_tokens(attn_sampler *sampler, const attn_sampling *rules,
                              bool logarithms, const float *logits,
                              const int64_t *tokens, size_t count,
                              attn_error *error) {
  attn_status status = check_sampling(rules, error);
  if (status == ATTN_OK)
    status = read_logits(sampler, logits, error);
  if (status != ATTN_OK)
    return status;
  if (logarithms)
    take_logarithms(sampler);
  apply_rules(sampler, rules, tokens, count);
  for (size_t v = 0; v < sampler->vocabulary; ++v)
    if (!isinf(sampler->scores[v]))
      return ATTN_OK;
  return attn_generate_fail(error, ATTN_OUT_OF_RANGE,
                            "the logits leave no token to choose");
}
