/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Memory of sequences. */

#include "runtime/generate/Sequence.h"

#include <stdlib.h>
#include <string.h>

/* A copy of `count` of at least `room` elements; NULL without memory. */
static int64_t *copy_ids(const int64_t *ids, size_t count, size_t room) {
  int64_t *copy = calloc(room ? room : 1, sizeof(*copy));
  if (copy && count)
    memcpy(copy, ids, count * sizeof(*copy));
  return copy;
}

static bool allocate(sequence *made, const int64_t *tokens,
                     const int64_t *stop) {
  attn_sampling *sampling = &made->sampling;
  made->tokens = copy_ids(tokens, made->count, made->limit);
  made->pages = copy_ids(NULL, 0, made->page_count);
  made->memory = copy_ids(NULL, 0, made->memory_count);
  made->stop = copy_ids(stop, made->stop_count, made->stop_count);
  sampling->suppressed =
      copy_ids(sampling->suppressed, sampling->suppressed_count,
               sampling->suppressed_count);
  sampling->begin_suppressed =
      copy_ids(sampling->begin_suppressed, sampling->begin_suppressed_count,
               sampling->begin_suppressed_count);
  sampling->ends =
      copy_ids(sampling->ends, sampling->end_count, sampling->end_count);
  return made->tokens && made->pages && made->memory && made->stop &&
         sampling->suppressed && sampling->begin_suppressed && sampling->ends;
}

bool attn_sequence_create(sequence *made, const attn_request *request,
                          size_t limit, size_t page_count,
                          size_t memory_count) {
  *made = (sequence){
      .number = -1,
      .goes_on = true,
      .count = request->prompt_count,
      .prompt = request->prompt_count,
      .limit = limit,
      .page_count = page_count,
      .memory_count = memory_count,
      .stop_count = request->stop_count,
      .sampling = request->sampling,
      .on_token = request->on_token,
      .context = request->context,
  };
  return allocate(made, request->prompt, request->stop);
}

bool attn_sequence_copy(sequence *made, const sequence *original,
                        const attn_sampling *sampling) {
  *made = *original;
  made->number = -1;
  made->has_pages = false;
  if (sampling)
    made->sampling = *sampling;
  return allocate(made, original->tokens, original->stop);
}

void attn_sequence_destroy(sequence *ended) {
  free(ended->tokens);
  free(ended->pages);
  free(ended->memory);
  free(ended->stop);
  free((void *)ended->sampling.suppressed);
  free((void *)ended->sampling.begin_suppressed);
  free((void *)ended->sampling.ends);
  *ended = (sequence){.number = -1};
}

bool attn_sequence_ends(const sequence *that) {
  if (that->count >= that->limit)
    return true;
  for (size_t i = 0; i < that->stop_count; ++i)
    if (that->tokens[that->count - 1] == that->stop[i])
      return true;
  return false;
}
