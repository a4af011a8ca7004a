/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Runs a BERT on sentences of token ids, with memory and threads of its own.

     bert-in-c bert.weights < tokens

   Each line of the input is a sentence: token ids with spaces between them. In
   a pair of sentences '|' stands before the second. Prints pooler_output, one
   line for each sentence. */

#include "bert.h"
#include "threads.h"

#include <attn/abi.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, MAX_TOKENS = 4096, LINE_BYTES = 1 << 16 };

typedef struct sentence {
  int64_t ids[MAX_TOKENS], types[MAX_TOKENS];
  int64_t length;
} sentence;

/* All memory that running the model takes, allocated by this program. */
typedef struct memory {
  void *workspace;
  size_t bytes;
  float *hidden, *pooled;
} memory;

static void fail(const char *message) {
  fprintf(stderr, "bert-in-c: %s\n", message);
  exit(1);
}

static void check(attn_status status, const attn_error *error) {
  if (status != ATTN_OK)
    fail(error->message);
}

/* This pool as compiled models see it: each slot is one index of a job. */
static void run_slots(void *context, size_t slots, attn_task task, void *arg) {
  threads_run(context, slots, task, arg);
}

static const attn_tensor_info *find_output(const char *name) {
  const attn_program *program = bert_program();
  for (uint32_t i = 0; i < program->output_count; ++i)
    if (strcmp(program->outputs[i].name, name) == 0)
      return &program->outputs[i];
  fail("this model is no BERT: it has no pooler_output");
  return NULL;
}

/* The greatest sequence the model takes. */
static int64_t max_sequence(void) {
  const attn_program *program = bert_program();
  for (uint32_t i = 0; i < program->dim_count; ++i)
    if (strcmp(program->dims[i].name, "sequence") == 0)
      return program->dims[i].max;
  fail("this model is no BERT: its sequence is fixed");
  return 0;
}

/* Parses a line; false for one without tokens. */
static int parse(const char *line, sentence *s) {
  int64_t type = 0;
  s->length = 0;
  while (*(line += strspn(line, " \t\r\n"))) {
    if (*line == '|') {
      type = 1;
      ++line;
      continue;
    }
    char *end;
    errno = 0;
    int64_t id = strtoll(line, &end, 10);
    if (end == line || errno)
      fail("expects token ids with spaces between them");
    if (s->length == MAX_TOKENS)
      fail("a sentence is too long");
    s->ids[s->length] = id;
    s->types[s->length++] = type;
    line = end;
  }
  return s->length > 0;
}

/* One allocation for the longest sentence serves all of them. */
static memory allocate(const attn_model *model, int64_t longest,
                       int64_t width) {
  memory m = {0};
  attn_error error;
  bert_dims dims = {.batch = 1, .sequence = longest};
  check(bert_workspace_bytes(model, &dims, THREADS, &m.bytes, &error), &error);
  /* aligned_alloc takes multiples of the alignment. */
  m.bytes = (m.bytes + ATTN_WORKSPACE_ALIGNMENT - 1) &
            ~(size_t)(ATTN_WORKSPACE_ALIGNMENT - 1);
  m.workspace = aligned_alloc(ATTN_WORKSPACE_ALIGNMENT, m.bytes);
  m.hidden = malloc((size_t)(longest * width) * sizeof(float));
  m.pooled = malloc((size_t)width * sizeof(float));
  if (!m.workspace || !m.hidden || !m.pooled)
    fail("out of memory");
  return m;
}

static void run(const attn_model *model, const attn_executor *executor,
                const memory *m, const sentence *s) {
  attn_error error;
  attn_run *run;
  bert_dims dims = {.batch = 1, .sequence = s->length};
  check(bert_prepare(model, executor, m->workspace, m->bytes, &dims, &run,
                     &error),
        &error);
  bert_inputs inputs = {.input_ids = s->ids, .token_type_ids = s->types};
  bert_outputs outputs = {.last_hidden_state = m->hidden,
                          .pooler_output = m->pooled};
  check(bert_run(run, &inputs, &outputs, &error), &error);
}

static void print(const float *values, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    printf(i ? " %.6f" : "%.6f", values[i]);
  printf("\n");
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: bert-in-c WEIGHTS < TOKENS\n");
    return 2;
  }
  attn_error error;
  attn_model *model;
  check(bert_open(argv[1], &model, &error), &error);
  threads *pool = threads_create(THREADS);
  if (!pool)
    fail("cannot start threads");
  attn_executor executor = {pool, THREADS, run_slots};

  int64_t longest = max_sequence() < MAX_TOKENS ? max_sequence() : MAX_TOKENS;
  int64_t width = find_output("pooler_output")->shape[1];
  memory m = allocate(model, longest, width);
  static char line[LINE_BYTES];
  static sentence s;
  while (fgets(line, sizeof line, stdin)) {
    if (!strchr(line, '\n') && !feof(stdin))
      fail("a line is too long");
    if (!parse(line, &s))
      continue;
    run(model, &executor, &m, &s);
    print(m.pooled, width);
  }

  free(m.pooled);
  free(m.hidden);
  free(m.workspace);
  threads_destroy(pool);
  bert_close(model);
  return 0;
}
