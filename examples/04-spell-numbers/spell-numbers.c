/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Spells numbers out with a GPT-2 of characters, letter by letter.

     spell-numbers numbers.weights 9334 17 ...

   One sequence at a time, its keys and values in memory of this program: what
   generation is without any help but the model's own header. */

#include "numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The model's vocabulary: the id of a character is its place. */
static const char letters[] = "\n =-0123456789abcdefghijklmnopqrstuvwxyz";
enum { VOCABULARY = sizeof letters - 1, END = 0 };

/* One sequence of the greatest length. */
enum {
  PAGES = (NUMBERS_POSITIONS + NUMBERS_PAGE_TOKENS - 1) / NUMBERS_PAGE_TOKENS
};

static void check(attn_status status, const attn_error *error) {
  if (status == ATTN_OK)
    return;
  fprintf(stderr, "spell-numbers: %s\n", error->message);
  exit(1);
}

static void *allocate(size_t bytes) {
  size_t rounded = (bytes + ATTN_WORKSPACE_ALIGNMENT - 1) /
                   ATTN_WORKSPACE_ALIGNMENT * ATTN_WORKSPACE_ALIGNMENT;
  void *memory = aligned_alloc(ATTN_WORKSPACE_ALIGNMENT, rounded);
  if (!memory) {
    fprintf(stderr, "spell-numbers: cannot allocate %zu bytes\n", bytes);
    exit(1);
  }
  return memory;
}

/* Memory for steps of up to a whole prompt. */
typedef struct stepper {
  const attn_model *model;
  float *cache;
  void *workspace;
  size_t bytes;
} stepper;

static numbers_step_dims dims_of(int64_t tokens) {
  return (numbers_step_dims){
      .tokens = tokens, .sequences = 1, .blocks = PAGES, .page_count = PAGES};
}

/* Reads `count` tokens behind the `past` ones that the cache has, and returns
   the likeliest next one. */
static int64_t step(const stepper *with, const int64_t *tokens, int64_t count,
                    int64_t past) {
  int64_t pages[PAGES];
  for (int64_t b = 0; b < PAGES; ++b)
    pages[b] = b;
  float logits[VOCABULARY];
  numbers_step_dims dims = dims_of(count);
  numbers_step_inputs inputs = {.input_ids = tokens,
                                .counts = &count,
                                .past = &past,
                                .pages = pages,
                                .cache = with->cache};
  numbers_step_outputs outputs = {.logits = logits};
  attn_error error;
  attn_run *run;
  check(numbers_step_prepare(with->model, NULL, with->workspace, with->bytes,
                             &dims, &run, &error),
        &error);
  check(numbers_step_run(run, &inputs, &outputs, &error), &error);
  int64_t best = 0;
  for (int64_t v = 1; v < VOCABULARY; ++v)
    if (logits[v] > logits[best])
      best = v;
  return best;
}

static void spell(const stepper *with, const char *number) {
  int64_t prompt[NUMBERS_POSITIONS], count = 0;
  char text[NUMBERS_POSITIONS];
  int length = snprintf(text, sizeof text, "%s=", number);
  if (length >= (int)sizeof text ||
      strspn(number, "0123456789") + 1 != (size_t)length) {
    fprintf(stderr, "spell-numbers: '%s' is no number that fits the model\n",
            number);
    exit(1);
  }
  for (const char *c = text; *c; ++c)
    prompt[count++] = strchr(letters, *c) - letters;

  printf("%s ", text);
  int64_t past = count, next = step(with, prompt, count, 0);
  while (next != END && past < NUMBERS_POSITIONS) {
    putchar(letters[next]);
    fflush(stdout); /* as it comes */
    next = step(with, &next, 1, past++);
  }
  putchar('\n');
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: spell-numbers numbers.weights NUMBER...\n");
    return 2;
  }
  attn_error error;
  attn_model *model;
  check(numbers_open(argv[1], &model, &error), &error);
  stepper with = {.model = model,
                  .cache = allocate(PAGES * numbers_page_bytes())};
  numbers_step_dims largest = dims_of(NUMBERS_POSITIONS);
  check(numbers_step_workspace_bytes(model, &largest, 1, &with.bytes, &error),
        &error);
  with.workspace = allocate(with.bytes);
  for (int i = 2; i < argc; ++i)
    spell(&with, argv[i]);
  free(with.workspace);
  free(with.cache);
  numbers_close(model);
  return 0;
}
