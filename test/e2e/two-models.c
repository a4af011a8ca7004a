/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Two models in one C program, through their own headers: each computes what
   its golden says, and opening one twice shares its weights.

       two-models VIT.weights BERT.weights GOLDEN-FOLDER

   It reads the tensors of test/e2e/golden/{vit,bert} where they are known to
   lie. */

#include "bert.h"
#include "vit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2, SEQUENCE = 19, HIDDEN = 64, LABELS = 10 };

static void require(int holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "two-models: %s\n", what);
  exit(1);
}

/* The data of a safetensors file, `bytes` long. */
static void *read_data(const char *folder, const char *name, size_t bytes) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/%s.safetensors", folder, name);
  FILE *file = fopen(path, "rb");
  require(file != NULL, path);
  uint64_t header_bytes;
  require(fread(&header_bytes, sizeof(header_bytes), 1, file) == 1 &&
              fseek(file, (long)header_bytes, SEEK_CUR) == 0,
          path);
  void *data = malloc(bytes);
  require(data && fread(data, 1, bytes, file) == bytes && fgetc(file) == EOF,
          path);
  fclose(file);
  return data;
}

/* The code of the other model would be far off; rounding is not. */
static void require_close(const float *actual, const float *expected,
                          size_t count, const char *what) {
  for (size_t i = 0; i < count; ++i)
    require(fabsf(actual[i] - expected[i]) < 1e-3f, what);
}

static void run_vit(const attn_model *model, const char *folder) {
  float *pixels =
      read_data(folder, "vit/inputs", BATCH * 3 * 32 * 32 * sizeof(float));
  float *expected =
      read_data(folder, "vit/outputs", BATCH * LABELS * sizeof(float));
  float logits[BATCH * LABELS];
  vit_dims dims = {.batch = BATCH};
  vit_inputs inputs = {.pixel_values = pixels};
  vit_outputs outputs = {.logits = logits};
  attn_error error;
  require(!vit_call(model, NULL, &dims, &inputs, &outputs, &error),
          error.message);
  require_close(logits, expected, BATCH * LABELS, "vit differs");
  free(pixels);
  free(expected);
}

static void run_bert(const attn_model *model, const char *folder) {
  const size_t tokens = BATCH * SEQUENCE, hidden = tokens * HIDDEN;
  int64_t *ids = read_data(folder, "bert/inputs", 3 * tokens * sizeof(int64_t));
  float *expected = read_data(folder, "bert/outputs",
                              (hidden + BATCH * HIDDEN) * sizeof(float));
  float *actual = malloc((hidden + BATCH * HIDDEN) * sizeof(float));
  require(actual != NULL, "out of memory");
  bert_dims dims = {.batch = BATCH, .sequence = SEQUENCE};
  bert_inputs inputs = {.attention_mask = ids,
                        .input_ids = ids + tokens,
                        .token_type_ids = ids + 2 * tokens};
  bert_outputs outputs = {.last_hidden_state = actual,
                          .pooler_output = actual + hidden};
  attn_error error;
  require(!bert_call(model, NULL, &dims, &inputs, &outputs, &error),
          error.message);
  require_close(actual, expected, hidden + BATCH * HIDDEN, "bert differs");
  free(ids);
  free(expected);
  free(actual);
}

/* How often the file is mapped; every time read-only and shared, so that
   processes and models use the same pages. */
static int count_mappings(const char *path) {
  FILE *maps = fopen("/proc/self/maps", "r");
  require(maps != NULL, "cannot read /proc/self/maps");
  char line[8192];
  int count = 0;
  while (fgets(line, sizeof(line), maps)) {
    if (!strstr(line, path))
      continue;
    require(strstr(line, " r--s ") != NULL, "weights are not mapped shared");
    ++count;
  }
  fclose(maps);
  return count;
}

int main(int argc, char **argv) {
  require(argc == 4, "expects VIT.weights BERT.weights GOLDEN");
  attn_error error;
  attn_model *vit, *bert, *second;
  require(!vit_open(argv[1], &vit, &error), error.message);
  require(!bert_open(argv[2], &bert, &error), error.message);
  run_bert(bert, argv[3]);
  run_vit(vit, argv[3]);

  require(vit_open(argv[2], &second, &error) == ATTN_MISMATCH && !second,
          "the weights of bert open as those of vit");
  require(!vit_open(argv[1], &second, &error), error.message);
  require(count_mappings(argv[1]) == 2, "vit is not mapped twice");
  require(count_mappings(argv[2]) == 1, "bert is not mapped once");
  vit_close(vit);
  bert_close(bert);
  run_vit(second, argv[3]);
  vit_close(second);
  require(count_mappings(argv[1]) == 0, "closing leaves a mapping");
  printf("both models agree with their goldens\n");
  return 0;
}
