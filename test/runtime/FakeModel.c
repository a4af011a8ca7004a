/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the compiler would generate, in C. */

#include "test/runtime/FakeModel.h"
#include "runtime/Internal.h"

#include <string.h>

enum { SCRATCH_BYTES = 64 };

static int64_t plan(const int64_t *dims, int64_t slots, int64_t *offsets) {
  int64_t bytes, scratch;
  if (__builtin_mul_overflow(dims[0], dims[1], &bytes) ||
      __builtin_mul_overflow(bytes, 4, &bytes) ||
      __builtin_add_overflow(bytes, 63, &bytes) ||
      __builtin_mul_overflow(slots, SCRATCH_BYTES, &scratch))
    return -1;
  bytes &= ~INT64_C(63);
  offsets[0] = 0;
  offsets[1] = bytes;
  offsets[2] = SCRATCH_BYTES;
  return __builtin_add_overflow(bytes, scratch, &bytes) ? -1 : bytes;
}

/* The rows [*begin, *end) of `slot`. */
static void split(const attn_frame *frame, size_t slot, int64_t *begin,
                  int64_t *end) {
  int64_t slots = (int64_t)frame->executor->slots;
  *begin = frame->dims[0] * (int64_t)slot / slots;
  *end = frame->dims[0] * ((int64_t)slot + 1) / slots;
}

static void look_up(void *arg, size_t slot) {
  const attn_frame *frame = arg;
  const int64_t *ids = frame->inputs[0];
  const float *table = (const float *)frame->weights;
  float *buffer = (float *)(frame->workspace + frame->offsets[0]);
  memset(frame->workspace + frame->offsets[1] + slot * SCRATCH_BYTES, 0x5a,
         SCRATCH_BYTES);
  int64_t begin, end, length = frame->dims[1];
  split(frame, slot, &begin, &end);
  for (int64_t i = begin * length; i < end * length; ++i)
    buffer[i] = table[ids[i]];
}

static void multiply_rows(const attn_frame *frame, int64_t begin, int64_t end) {
  const float *scale = frame->inputs[1];
  const float *buffer = (const float *)(frame->workspace + frame->offsets[0]);
  float *y = frame->outputs[0];
  int64_t length = frame->dims[1];
  for (int64_t b = begin; b < end; ++b)
    for (int64_t i = 0; i < length; ++i)
      y[b * length + i] = buffer[b * length + i] * scale[b];
}

/* Every second row is left. */
static void multiply(void *arg, size_t slot) {
  const attn_frame *frame = arg;
  int64_t begin, end;
  split(frame, slot, &begin, &end);
  for (int64_t b = begin; b < end; ++b)
    if (b % 2 == 0)
      multiply_rows(frame, b, b + 1);
}

/* What ends the launch. */
static void finish(void *arg, size_t slot) {
  const attn_frame *frame = arg;
  for (int64_t b = 1; slot == 0 && b < frame->dims[0]; b += 2)
    multiply_rows(frame, b, b + 1);
}

static int32_t body(const attn_frame *frame) {
  const attn_executor *executor = frame->executor;
  executor->run(executor->context, executor->slots, look_up, (void *)frame);
  executor->run(executor->context, executor->slots, multiply, (void *)frame);
  executor->run(executor->context, 0, finish, (void *)frame);
  return ATTN_OK;
}

static const attn_dim_info dims[] = {{"batch", 1, 1000},
                                     {"length", 0, INT64_C(1) << 62}};
static const int64_t matrix[] = {-1, -2}, vector[] = {-1};
static const attn_tensor_info inputs[] = {
    {"ids", ATTN_I64, 2, matrix, FAKE_VOCABULARY, ATTN_ROLE_NONE},
    {"scale", ATTN_F32, 1, vector, 0, ATTN_ROLE_NONE}};
static const attn_tensor_info outputs[] = {
    {"y", ATTN_F32, 2, matrix, 0, ATTN_ROLE_NONE}};
static const attn_variant variants[] = {{"any", 0, plan, body}};

const attn_program fake_model = {
    .abi = ATTN_ABI_VERSION,
    .input_count = 2,
    .output_count = 1,
    .dim_count = 2,
    .buffer_count = 1,
    .variant_count = 1,
    .name = "fake",
    .description = "{}",
    .dims = dims,
    .inputs = inputs,
    .outputs = outputs,
    .variants = variants,
    .weights_bytes = FAKE_WEIGHTS_BYTES,
    .build_id = {1, 2, 3},
    .functions = &attn_common_functions,
};

static int64_t plan_nothing(const int64_t *sizes, int64_t slots,
                            int64_t *offsets) {
  (void)sizes, (void)slots;
  offsets[0] = offsets[1] = 0;
  return 0;
}

static int32_t copy(const attn_frame *frame) {
  memcpy(frame->outputs[0], frame->inputs[0], 2 * sizeof(float));
  return ATTN_OK;
}

static const int64_t pair[] = {2};
static const attn_tensor_info kernel_input[] = {
    {"scale", ATTN_F32, 1, pair, 0, ATTN_ROLE_NONE}};
static const attn_tensor_info kernel_output[] = {
    {"y", ATTN_F32, 1, pair, 0, ATTN_ROLE_NONE}};
static const attn_variant kernel_variants[] = {
    {"impossible", UINT64_C(1) << 63, plan_nothing, copy},
    {"any", 0, plan_nothing, copy}};

const attn_program fake_kernel = {
    .abi = ATTN_ABI_VERSION,
    .input_count = 1,
    .output_count = 1,
    .variant_count = 2,
    .name = "kernel",
    .description = "{}",
    .inputs = kernel_input,
    .outputs = kernel_output,
    .variants = kernel_variants,
    .functions = &attn_common_functions,
};
