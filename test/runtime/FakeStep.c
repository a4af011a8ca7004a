/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* An encoder-decoder over pages, in plain loops. */

#include "test/runtime/FakeStep.h"
#include "runtime/Internal.h"

enum { Tokens, Sequences, Blocks, PageCount, MemoryBlocks };

static int64_t plan_nothing(const int64_t *dims, int64_t slots,
                            int64_t *offsets) {
  (void)dims, (void)slots;
  offsets[0] = offsets[1] = 0;
  return 0;
}

static float *place(float *cache, const int64_t *pages, int64_t position) {
  return cache + pages[position / FAKE_PAGE_TOKENS] * FAKE_PAGE_FLOATS +
         position % FAKE_PAGE_TOKENS;
}

static int64_t sum(float *cache, const int64_t *pages, int64_t first,
                   int64_t length) {
  int64_t total = 0;
  for (int64_t i = first; i < length; ++i)
    total += (int64_t)*place(cache, pages, i);
  return total;
}

static void write_logits(float *logits, int64_t best) {
  for (int64_t v = 0; v < FAKE_DIGITS; ++v) {
    int64_t distance = v > best ? v - best : best - v;
    logits[v] = 1 - (float)distance / 10;
  }
}

/* Without encoder, `memory_pages` and `memory_lengths` are NULL. */
static void step(const attn_frame *frame, float *cache, int64_t window,
                 const int64_t *memory_pages, const int64_t *memory_lengths) {
  const int64_t *tokens = frame->inputs[0], *counts = frame->inputs[1],
                *past = frame->inputs[2], *pages = frame->inputs[3];
  float *logits = frame->outputs[0];
  for (int64_t s = 0; s < frame->dims[Sequences]; ++s) {
    const int64_t *row = pages + s * frame->dims[Blocks];
    for (int64_t i = 0; i < counts[s]; ++i)
      *place(cache, row, past[s] + i) = (float)*tokens++;
    int64_t length = past[s] + counts[s];
    int64_t total =
        sum(cache, row, length > window ? length - window : 0, length);
    if (memory_pages)
      total += sum(cache, memory_pages + s * frame->dims[MemoryBlocks], 0,
                   memory_lengths[s]);
    write_logits(logits + s * FAKE_DIGITS, total % FAKE_DIGITS);
  }
}

static int32_t step_with_memory(const attn_frame *frame) {
  step(frame, (float *)frame->inputs[6], INT64_MAX, frame->inputs[4],
       frame->inputs[5]);
  return ATTN_OK;
}

static int32_t step_alone(const attn_frame *frame) {
  step(frame, (float *)frame->inputs[4], INT64_MAX, NULL, NULL);
  return ATTN_OK;
}

static int32_t step_windowed(const attn_frame *frame) {
  step(frame, (float *)frame->inputs[4], FAKE_WINDOW, NULL, NULL);
  return ATTN_OK;
}

static int32_t encode(const attn_frame *frame) {
  const int64_t *source = frame->inputs[0], *pages = frame->inputs[1];
  for (int64_t i = 0; i < frame->dims[0]; ++i)
    *place((float *)frame->inputs[2], pages, i) = (float)source[i];
  return ATTN_OK;
}

static const attn_dim_info dims[] = {{"tokens", 1, 1000},
                                     {"sequences", 1, 100},
                                     {"blocks", 1, 100},
                                     {"page_count", 1, INT64_C(1) << 40},
                                     {"memory_blocks", 1, 100}};
static const int64_t packed[] = {1, -1}, vector[] = {-2}, table[] = {-2, -3},
                     memory_table[] = {-2, -5},
                     pages[] = {-4, FAKE_PAGE_FLOATS},
                     rows[] = {1, -2, FAKE_DIGITS};
#define SEQUENCE_INPUTS                                                        \
  {"tokens", ATTN_I64, 2, packed, FAKE_DIGITS, ATTN_ROLE_TOKENS},              \
      {"counts", ATTN_I64, 1, vector, 0, ATTN_ROLE_COUNTS},                    \
      {"past", ATTN_I64, 1, vector, 0, ATTN_ROLE_PAST}, {                      \
    "pages", ATTN_I64, 2, table, 0, ATTN_ROLE_PAGES                            \
  }
static const attn_tensor_info inputs[] = {
    SEQUENCE_INPUTS,
    {"memory_pages", ATTN_I64, 2, memory_table, 0, ATTN_ROLE_MEMORY_PAGES},
    {"memory_lengths", ATTN_I64, 1, vector, 0, ATTN_ROLE_MEMORY_LENGTHS},
    {"cache", ATTN_F32, 2, pages, 0, ATTN_ROLE_CACHE}};
static const attn_tensor_info decoder_inputs[] = {
    SEQUENCE_INPUTS, {"cache", ATTN_F32, 2, pages, 0, ATTN_ROLE_CACHE}};
static const attn_tensor_info outputs[] = {
    {"logits", ATTN_F32, 3, rows, 0, ATTN_ROLE_NONE}};
static const attn_variant variants[] = {
    {"impossible", UINT64_C(1) << 63, plan_nothing, step_alone},
    {"any", 0, plan_nothing, step_with_memory}};
static const attn_variant decoder_variants[] = {
    {"any", 0, plan_nothing, step_alone}};
static const attn_cache_info cache = {.page_tokens = FAKE_PAGE_TOKENS,
                                      .page_bytes =
                                          FAKE_PAGE_FLOATS * sizeof(float),
                                      .positions = FAKE_POSITIONS};

static const attn_variant windowed_variants[] = {
    {"any", 0, plan_nothing, step_windowed}};
static const attn_cache_info windowed_cache = {.page_tokens = FAKE_PAGE_TOKENS,
                                               .page_bytes = FAKE_PAGE_FLOATS *
                                                             sizeof(float),
                                               .window = FAKE_WINDOW};

static const attn_dim_info encode_dims[] = {
    {"sequence", 1, 1000},
    {"memory_blocks", 1, 100},
    {"page_count", 1, INT64_C(1) << 40}};
static const int64_t source[] = {1, -1}, source_pages[] = {1, -2},
                     encode_cache[] = {-3, FAKE_PAGE_FLOATS};
static const attn_tensor_info encode_inputs[] = {
    {"source", ATTN_I64, 2, source, FAKE_DIGITS, ATTN_ROLE_NONE},
    {"memory_pages", ATTN_I64, 2, source_pages, 0, ATTN_ROLE_MEMORY_PAGES},
    {"cache", ATTN_F32, 2, encode_cache, 0, ATTN_ROLE_CACHE}};
static const attn_variant encode_variants[] = {
    {"impossible", UINT64_C(1) << 63, plan_nothing, step_alone},
    {"any", 0, plan_nothing, encode}};
static const attn_cache_info encode_cache_info = {
    .page_tokens = FAKE_PAGE_TOKENS,
    .page_bytes = FAKE_PAGE_FLOATS * sizeof(float),
    .memory_length = -1};

static const attn_program encode_program = {
    .abi = ATTN_ABI_VERSION,
    .input_count = 3,
    .dim_count = 3,
    .variant_count = 2,
    .name = "encode",
    .description = "{}",
    .dims = encode_dims,
    .inputs = encode_inputs,
    .variants = encode_variants,
    .functions = &attn_common_functions,
    .cache = &encode_cache_info,
};
static const attn_program *const parts[] = {&encode_program};

const attn_program fake_step = {
    .abi = ATTN_ABI_VERSION,
    .input_count = 7,
    .output_count = 1,
    .dim_count = 5,
    .variant_count = 2,
    .name = "translator",
    .description = "{}",
    .dims = dims,
    .inputs = inputs,
    .outputs = outputs,
    .variants = variants,
    .functions = &attn_common_functions,
    .cache = &cache,
    .part_count = 1,
    .parts = parts,
};

const attn_program fake_decoder = {
    .abi = ATTN_ABI_VERSION,
    .input_count = 5,
    .output_count = 1,
    .dim_count = 4,
    .variant_count = 1,
    .name = "decoder",
    .description = "{}",
    .dims = dims,
    .inputs = decoder_inputs,
    .outputs = outputs,
    .variants = decoder_variants,
    .functions = &attn_common_functions,
    .cache = &cache,
};

const attn_program fake_windowed = {
    .abi = ATTN_ABI_VERSION,
    .input_count = 5,
    .output_count = 1,
    .dim_count = 4,
    .variant_count = 1,
    .name = "windowed",
    .description = "{}",
    .dims = dims,
    .inputs = decoder_inputs,
    .outputs = outputs,
    .variants = windowed_variants,
    .functions = &attn_common_functions,
    .cache = &windowed_cache,
};
