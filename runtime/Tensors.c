/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Checks of dimensions and tensors, all of them before anything runs. */

#include "runtime/Tensors.h"

static size_t element_bytes(const attn_tensor_info *tensor) {
  return tensor->dtype == ATTN_I64 ? sizeof(int64_t) : sizeof(float);
}

/* Bytes of the tensor at these sizes; false where they exceed PTRDIFF_MAX. */
static bool tensor_bytes(const attn_tensor_info *tensor, const int64_t *dims,
                         size_t *bytes) {
  size_t total = element_bytes(tensor);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    int64_t size = tensor->shape[i];
    if (size < 0)
      size = dims[-1 - size];
    if (__builtin_mul_overflow(total, (uint64_t)size, &total))
      return false;
  }
  *bytes = total;
  return total <= PTRDIFF_MAX;
}

static attn_status check_sizes(const attn_tensor_info *tensors, uint32_t count,
                               const int64_t *dims, attn_error *error) {
  for (uint32_t i = 0; i < count; ++i) {
    size_t bytes;
    if (!tensor_bytes(&tensors[i], dims, &bytes))
      return attn_fail(error, ATTN_INVALID_ARGUMENT,
                       "tensor '%s' is too large at these dimensions",
                       tensors[i].name);
  }
  return ATTN_OK;
}

ATTN_WEAK attn_status attn_check_dims(const attn_program *program,
                                      const int64_t *dims, attn_error *error) {
  if (!dims && program->dim_count)
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "dims is NULL");
  for (uint32_t i = 0; i < program->dim_count; ++i) {
    const attn_dim_info *dim = &program->dims[i];
    if (dims[i] < dim->min || dims[i] > dim->max)
      return attn_fail(error, ATTN_INVALID_ARGUMENT,
                       "expects dimension '%s' in [%lld, %lld], but got %lld",
                       dim->name, (long long)dim->min, (long long)dim->max,
                       (long long)dims[i]);
  }
  attn_status status =
      check_sizes(program->inputs, program->input_count, dims, error);
  if (status == ATTN_OK)
    status = check_sizes(program->outputs, program->output_count, dims, error);
  return status;
}

static attn_status check_pointer(const attn_tensor_info *tensor,
                                 const void *pointer, size_t bytes,
                                 attn_error *error) {
  if (!pointer && bytes)
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "tensor '%s' is NULL",
                     tensor->name);
  if ((uintptr_t)pointer % element_bytes(tensor))
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "tensor '%s' is not aligned to its elements of %zu bytes",
                     tensor->name, element_bytes(tensor));
  if (tensor->role == ATTN_ROLE_CACHE &&
      (uintptr_t)pointer % ATTN_WORKSPACE_ALIGNMENT)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "expects '%s' to be aligned to %d bytes", tensor->name,
                     ATTN_WORKSPACE_ALIGNMENT);
  return ATTN_OK;
}

static attn_status check_pointers(const attn_tensor_info *tensors,
                                  uint32_t count, const int64_t *dims,
                                  const void *const *pointers,
                                  attn_error *error) {
  for (uint32_t i = 0; i < count; ++i) {
    size_t bytes = 0;
    tensor_bytes(&tensors[i], dims, &bytes);
    attn_status status = check_pointer(&tensors[i], pointers[i], bytes, error);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

/* What is written shares no byte with any of `others`. */
static attn_status check_apart(const char *kind, const attn_tensor_info *output,
                               const void *pointer,
                               const attn_tensor_info *others,
                               const void *const *pointers, uint32_t count,
                               const int64_t *dims, attn_error *error) {
  size_t bytes;
  tensor_bytes(output, dims, &bytes);
  uintptr_t begin = (uintptr_t)pointer;
  for (uint32_t i = 0; i < count; ++i) {
    size_t other_bytes;
    tensor_bytes(&others[i], dims, &other_bytes);
    uintptr_t other = (uintptr_t)pointers[i];
    if (bytes && other_bytes && begin < other + other_bytes &&
        other < begin + bytes)
      return attn_fail(error, ATTN_INVALID_ARGUMENT,
                       "%s '%s' overlaps tensor '%s'", kind, output->name,
                       others[i].name);
  }
  return ATTN_OK;
}

static attn_status check_bound(const attn_tensor_info *tensor,
                               const int64_t *dims, const int64_t *elements,
                               attn_error *error) {
  if (tensor->dtype != ATTN_I64 || tensor->bound <= 0)
    return ATTN_OK;
  size_t bytes;
  tensor_bytes(tensor, dims, &bytes);
  for (size_t i = 0; i < bytes / sizeof(int64_t); ++i)
    if (elements[i] < 0 || elements[i] >= tensor->bound)
      return attn_fail(error, ATTN_OUT_OF_RANGE,
                       "expects elements of input '%s' in [0, %lld), but "
                       "element %zu is %lld",
                       tensor->name, (long long)tensor->bound, i,
                       (long long)elements[i]);
  return ATTN_OK;
}

static attn_status check_outputs_apart(const attn_program *program,
                                       const int64_t *dims,
                                       const void *const *inputs,
                                       void *const *outputs,
                                       attn_error *error) {
  for (uint32_t i = 0; i < program->output_count; ++i) {
    const attn_tensor_info *output = &program->outputs[i];
    attn_status status =
        check_apart("output", output, outputs[i], program->inputs, inputs,
                    program->input_count, dims, error);
    if (status == ATTN_OK)
      status = check_apart("output", output, outputs[i], program->outputs,
                           (const void *const *)outputs, i, dims, error);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

static attn_status check_cache_apart(const attn_program *program,
                                     const int64_t *dims,
                                     const void *const *inputs,
                                     attn_error *error) {
  for (uint32_t i = 0; i < program->input_count; ++i) {
    const attn_tensor_info *cache = &program->inputs[i];
    if (cache->role != ATTN_ROLE_CACHE)
      continue;
    uint32_t next = i + 1;
    attn_status status = check_apart("input", cache, inputs[i], program->inputs,
                                     inputs, i, dims, error);
    if (status == ATTN_OK)
      status =
          check_apart("input", cache, inputs[i], program->inputs + next,
                      inputs + next, program->input_count - next, dims, error);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

ATTN_WEAK attn_status attn_check_tensors(const attn_program *program,
                                         const int64_t *dims,
                                         const void *const *inputs,
                                         void *const *outputs,
                                         attn_error *error) {
  if ((!inputs && program->input_count) || (!outputs && program->output_count))
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "%s is NULL",
                     inputs ? "outputs" : "inputs");
  attn_status status = check_pointers(program->inputs, program->input_count,
                                      dims, inputs, error);
  if (status == ATTN_OK)
    status = check_pointers(program->outputs, program->output_count, dims,
                            (const void *const *)outputs, error);
  if (status == ATTN_OK)
    status = check_outputs_apart(program, dims, inputs, outputs, error);
  if (status == ATTN_OK)
    status = check_cache_apart(program, dims, inputs, error);
  for (uint32_t i = 0; status == ATTN_OK && i < program->input_count; ++i)
    status = check_bound(&program->inputs[i], dims, inputs[i], error);
  return status;
}
