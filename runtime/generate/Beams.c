/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Beam search as generate() of transformers does it: of twice as many
   continuations as beams, those that end become texts if they are among the
   first half, and the likeliest others go on. */

#include "runtime/generate/Beams.h"
#include "runtime/generate/Failure.h"
#include "runtime/generate/Scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*===-- Begin and end
 * --------------------------------------------------------===*/

static bool allocate(beam_search *search, size_t limit) {
  size_t beams = search->beams;
  search->places = attn_make(beams, 1, sizeof(size_t));
  search->scores = attn_make(beams, 1, sizeof(double));
  search->best = attn_make(search->kept, 1, sizeof(continuation));
  search->next = attn_make(beams, 1, sizeof(continuation));
  search->next_places = attn_make(beams, 1, sizeof(size_t));
  search->free_places = attn_make(beams, 1, sizeof(size_t));
  search->texts = attn_make(beams, 1, sizeof(text));
  bool all = search->texts && search->places && search->scores &&
             search->best && search->next && search->next_places &&
             search->free_places;
  for (size_t t = 0; all && t < beams; ++t)
    all = (search->texts[t].tokens = attn_make(limit, 1, sizeof(int64_t)));
  return all;
}

static void release(beam_search *search) {
  for (size_t t = 0; search->texts && t < search->beams; ++t)
    free(search->texts[t].tokens);
  void *owned[] = {
      search->places,      search->scores,      search->best,  search->next,
      search->next_places, search->free_places, search->texts, search};
  for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); ++i)
    free(owned[i]);
}

/* Beams that do not run: their pages are promised to nobody else. */
static void promise(attn_generator *generator, const beam_search *search,
                    size_t beams) {
  generator->pages.promised += beams * search->pages_promised;
}

static void take_back(attn_generator *generator, const beam_search *search,
                      size_t beams) {
  generator->pages.promised -= beams * search->pages_promised;
}

void attn_search_destroy(attn_generator *generator, beam_search *search) {
  for (size_t s = 0; s < generator->max_sequences; ++s)
    if (generator->sequences[s].search == search)
      generator->sequences[s].search = NULL;
  if (!search->ended)
    take_back(generator, search, search->beams - search->running);
  release(search);
}

/* A beam without tokens and pages. */
static attn_status add_place(attn_generator *generator,
                             const attn_request *request, const sequence *first,
                             beam_search *search, size_t index,
                             attn_error *error) {
  sequence *slot;
  attn_status status = attn_free_slot(generator, &slot, error);
  if (status != ATTN_OK)
    return status;
  if (!attn_sequence_create(slot, request, first->limit, first->page_count,
                            first->memory_count)) {
    attn_sequence_destroy(slot);
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a beam of %zu tokens",
                              first->limit);
  }
  slot->number = first->number;
  slot->memory_length = first->memory_length;
  slot->goes_on = false;
  slot->search = search;
  search->places[index] = (size_t)(slot - generator->sequences);
  return ATTN_OK;
}

static attn_status set_up(attn_generator *generator,
                          const attn_request *request, sequence *first,
                          beam_search *search, attn_error *error) {
  if (!allocate(search, first->limit))
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a search of %zu beams",
                              request->beams);
  search->places[0] = (size_t)(first - generator->sequences);
  size_t needed;
  attn_status status = ATTN_OK;
  if (__builtin_mul_overflow(search->beams - 1, search->pages_promised,
                             &needed))
    needed = SIZE_MAX;
  status = attn_check_left(generator, needed, error);
  for (size_t b = 1; status == ATTN_OK && b < search->beams; ++b)
    status = add_place(generator, request, first, search, b, error);
  return status;
}

/* Takes the places of other beams back. */
static void undo(attn_generator *generator, const sequence *first,
                 beam_search *search) {
  for (size_t s = 0; s < generator->max_sequences; ++s)
    if (generator->sequences[s].search == search &&
        &generator->sequences[s] != first)
      attn_sequence_destroy(&generator->sequences[s]);
  release(search);
}

attn_status attn_search_begin(attn_generator *generator,
                              const attn_request *request, sequence *first,
                              attn_error *error) {
  beam_search *search = malloc(sizeof(*search));
  if (!search)
    return attn_generate_fail(error, ATTN_OUT_OF_MEMORY,
                              "cannot allocate a search");
  size_t ends = request->stop_count > 1 ? request->stop_count : 1;
  *search = (beam_search){
      .number = first->number,
      .beams = request->beams,
      .length_penalty = request->length_penalty,
      .stop = request->beam_stop,
      .prompt = request->prompt_count - request->counted_prompt,
      .running = 1,
      .pages_promised = first->page_count +
                        (generator->pages.replaces ? first->memory_count : 0),
      .kept = (1 + ends) * request->beams};
  attn_status status = set_up(generator, request, first, search, error);
  if (status != ATTN_OK) {
    undo(generator, first, search);
    return status;
  }
  first->search = search;
  promise(generator, search, search->beams - 1);
  return ATTN_OK;
}

/*===-- Texts
 * ----------------------------------------------------------------===*/

/* length ^ penalty */
static double divisor(const beam_search *search, size_t length) {
  double penalty = search->length_penalty;
  if (penalty == 1)
    return (double)length;
  double exponent = penalty * attn_logarithm((double)length);
  return exponent > 0 ? 1 / attn_exponential(-exponent)
                      : attn_exponential(exponent);
}

static sequence *beam_of(const attn_generator *generator,
                         const beam_search *search, size_t beam) {
  return &generator->sequences[search->places[beam]];
}

/* Keeps a text where it is among the best. */
static void add_text(beam_search *search, const sequence *beam, int64_t token,
                     double score) {
  size_t at = search->text_count;
  while (at > 0 && score > search->texts[at - 1].score)
    --at;
  if (at == search->beams)
    return;
  size_t last = search->text_count < search->beams ? search->text_count++
                                                   : search->beams - 1;
  text made = search->texts[last];
  memmove(search->texts + at + 1, search->texts + at,
          (last - at) * sizeof(text));
  memcpy(made.tokens, beam->tokens, beam->count * sizeof(int64_t));
  made.tokens[beam->count] = token;
  made.count = beam->count + 1;
  made.score = score;
  search->texts[at] = made;
}

static bool ends_with(const sequence *beam, int64_t token) {
  if (beam->count + 1 >= beam->limit)
    return true;
  for (size_t i = 0; i < beam->stop_count; ++i)
    if (beam->stop[i] == token)
      return true;
  return false;
}

/* Whether texts that are still to come may be better than those there are. */
static bool may_improve(const beam_search *search, size_t length,
                        size_t limit) {
  if (search->text_count < search->beams)
    return true;
  if (search->stop == ATTN_BEAM_STOP_EARLY)
    return false;
  bool far = search->stop == ATTN_BEAM_STOP_NEVER && search->length_penalty > 0;
  double best = search->next[0].score /
                divisor(search, (far ? limit : length) - search->prompt);
  return best > search->texts[search->beams - 1].score;
}

/*===-- Continuations
 * --------------------------------------------------------===*/

static void consider(beam_search *search, continuation what) {
  continuation *best = search->best;
  size_t at = search->best_count;
  if (at == search->kept && !(what.score > best[at - 1].score))
    return;
  at = at < search->kept ? search->best_count++ : at - 1;
  for (; at > 0 && what.score > best[at - 1].score; --at)
    best[at] = best[at - 1];
  best[at] = what;
}

static attn_status find_best(attn_generator *generator, beam_search *search,
                             attn_error *error) {
  size_t row = (size_t)generator->vocabulary;
  search->best_count = 0;
  for (size_t b = 0; b < search->running; ++b) {
    const sequence *beam = beam_of(generator, search, b);
    attn_status status =
        attn_score_tokens(generator->sampler, &beam->sampling, true,
                          generator->logits + search->places[b] * row,
                          beam->tokens, beam->count, error);
    if (status != ATTN_OK)
      return status;
    const double *scores = generator->sampler->scores;
    for (size_t v = 0; v < row; ++v)
      if (!isinf(scores[v]))
        consider(search,
                 (continuation){search->scores[b] + scores[v], b, (int64_t)v});
  }
  return ATTN_OK;
}

/* Texts from the first half, and what goes on from all. */
static void divide(const attn_generator *generator, beam_search *search) {
  search->next_count = 0;
  for (size_t i = 0; i < search->best_count; ++i) {
    continuation one = search->best[i];
    const sequence *beam = beam_of(generator, search, one.beam);
    if (!ends_with(beam, one.token)) {
      if (search->next_count < search->beams)
        search->next[search->next_count++] = one;
    } else if (i < search->beams) {
      size_t length = beam->count + 1 - search->prompt;
      add_text(search, beam, one.token, one.score / divisor(search, length));
    }
  }
}

static size_t children_of(const beam_search *search, size_t beam) {
  size_t children = 0;
  for (size_t i = 0; i < search->next_count; ++i)
    children += search->next[i].beam == beam;
  return children;
}

/* A second child of a beam, in a place of its own. */
static attn_status fork_beam(attn_generator *generator, beam_search *search,
                             const sequence *parent, sequence *child,
                             attn_error *error) {
  take_back(generator, search, 1);
  memcpy(child->tokens, parent->tokens, parent->count * sizeof(int64_t));
  child->count = parent->count;
  child->past = parent->past;
  return attn_fork_pages(generator, parent, child, error);
}

/* The first child of a beam takes its place, others those of beams without
   any. */
static attn_status go_on(attn_generator *generator, beam_search *search,
                         attn_error *error) {
  size_t free_count = 0;
  for (size_t b = 0; b < search->beams; ++b) {
    if (b < search->running && children_of(search, b))
      continue;
    if (b < search->running) {
      attn_release_pages(generator, beam_of(generator, search, b));
      beam_of(generator, search, b)->goes_on = false;
      promise(generator, search, 1);
    }
    search->free_places[free_count++] = search->places[b];
  }
  attn_status status = ATTN_OK;
  for (size_t i = 0; status == ATTN_OK && i < search->next_count; ++i) {
    size_t parent = search->next[i].beam;
    bool isFirst = true;
    for (size_t j = 0; j < i; ++j)
      isFirst &= search->next[j].beam != parent;
    search->next_places[i] =
        isFirst ? search->places[parent] : search->free_places[--free_count];
    if (!isFirst)
      status = fork_beam(generator, search, beam_of(generator, search, parent),
                         &generator->sequences[search->next_places[i]], error);
  }
  for (size_t i = 0; i < search->next_count; ++i) {
    sequence *beam = &generator->sequences[search->next_places[i]];
    beam->tokens[beam->count++] = search->next[i].token;
    beam->goes_on = true;
    search->places[i] = search->next_places[i];
    search->scores[i] = search->next[i].score;
  }
  for (size_t i = 0; i < free_count; ++i)
    search->places[search->next_count + i] = search->free_places[i];
  search->running = search->next_count;
  return status;
}

static void end(attn_generator *generator, beam_search *search) {
  take_back(generator, search, search->beams - search->running);
  search->ended = true;
  for (size_t b = 0; b < search->running; ++b) {
    attn_release_pages(generator, beam_of(generator, search, b));
    beam_of(generator, search, b)->goes_on = false;
  }
  const sequence *any = beam_of(generator, search, 0);
  const text *best = search->texts;
  for (size_t i = any->prompt; any->on_token && i < best->count; ++i)
    any->on_token(any->context, search->number, best->tokens[i],
                  i + 1 == best->count);
}

attn_status attn_search_advance(attn_generator *generator, beam_search *search,
                                attn_error *error) {
  search->due = false;
  attn_status status = find_best(generator, search, error);
  if (status != ATTN_OK)
    return status;
  const sequence *any = beam_of(generator, search, 0);
  size_t length = any->count + 1;
  divide(generator, search);
  if (search->next_count && may_improve(search, length, any->limit))
    return go_on(generator, search, error);
  end(generator, search);
  return ATTN_OK;
}

const int64_t *attn_search_tokens(const attn_generator *generator,
                                  const beam_search *search, size_t *count) {
  const sequence *beam = beam_of(generator, search, 0);
  if (count)
    *count = search->text_count ? search->texts[0].count : beam->count;
  return search->text_count ? search->texts[0].tokens : beam->tokens;
}

const int64_t *attn_search_text(const beam_search *search, size_t index,
                                size_t *count, double *score) {
  if (!search->ended || index >= search->text_count)
    return NULL;
  const text *that = &search->texts[index];
  if (count)
    *count = that->count;
  if (score)
    *score = that->score;
  return that->tokens;
}
