/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Opening and closing a model, and the table of functions. */

#include "runtime/Internal.h"

#include <stdlib.h>
#include <string.h>

static attn_status pick_variant(const attn_program *program, const char *isa,
                                const attn_variant **picked,
                                attn_error *error) {
  uint64_t features = attn_cpu_features();
  bool known = false;
  for (uint32_t i = 0; i < program->variant_count; ++i) {
    const attn_variant *variant = &program->variants[i];
    if (isa && strcmp(isa, variant->isa) != 0)
      continue;
    known = true;
    if (variant->features & ~features)
      continue;
    *picked = variant;
    return ATTN_OK;
  }
  if (!isa)
    return attn_fail(error, ATTN_UNSUPPORTED_CPU,
                     "none of the %u variants of '%s' runs on this processor",
                     (unsigned)program->variant_count, program->name);
  if (known)
    return attn_fail(error, ATTN_UNSUPPORTED_CPU,
                     "variant '%s' of '%s' does not run on this processor", isa,
                     program->name);
  return attn_fail(error, ATTN_INVALID_ARGUMENT, "'%s' has no variant '%s'",
                   program->name, isa);
}

static attn_status check_program(const attn_program *program, const char *path,
                                 attn_error *error) {
  if (program->abi != ATTN_ABI_VERSION)
    return attn_fail(error, ATTN_MISMATCH,
                     "expects a program of ABI %d, but got %u",
                     ATTN_ABI_VERSION, (unsigned)program->abi);
  if (program->weights_bytes && !path)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "'%s' needs the path of its weights file, but got NULL",
                     program->name);
  if (!program->weights_bytes && path)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "'%s' has no weights and expects NULL, but got path '%s'",
                     program->name, path);
  return ATTN_OK;
}

/* Parts see the weights, which the whole keeps mapped, through the code of the
   same variant. */
static void fill_parts(attn_model *model) {
  const attn_program *whole = model->program;
  for (uint32_t i = 0; i < whole->part_count; ++i) {
    const attn_program *part = whole->parts[i];
    model->parts[i] = (attn_model){
        .program = part,
        .variant = &part->variants[model->variant - whole->variants],
        .weights.data = model->weights.data,
    };
  }
}

ATTN_WEAK attn_status attn_open(const attn_program *program, const char *path,
                                const char *isa, attn_model **model,
                                attn_error *error) {
  if (!program || !model)
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "%s is NULL",
                     program ? "model" : "program");
  *model = NULL;
  attn_model opened = {.program = program};
  opened.weights.data = program->constants;
  attn_status status = check_program(program, path, error);
  if (status == ATTN_OK)
    status = pick_variant(program, isa, &opened.variant, error);
  if (status == ATTN_OK && path)
    status = attn_map_weights(program, path, &opened.weights, error);
  if (status != ATTN_OK)
    return status;

  size_t bytes = (1 + (size_t)program->part_count) * sizeof(attn_model);
  attn_model *result = malloc(bytes);
  if (!result) {
    attn_unmap_weights(&opened.weights);
    return attn_fail(error, ATTN_OUT_OF_MEMORY, "cannot allocate %zu bytes",
                     bytes);
  }
  *result = opened;
  result->parts = result + 1;
  fill_parts(result);
  *model = result;
  return ATTN_OK;
}

ATTN_WEAK void attn_close(attn_model *model) {
  if (!model)
    return;
  attn_unmap_weights(&model->weights);
  free(model);
}

ATTN_WEAK const attn_model *attn_part(const attn_model *model, uint32_t index) {
  return model && index < model->program->part_count ? &model->parts[index]
                                                     : NULL;
}

ATTN_WEAK const char *attn_isa(const attn_model *model) {
  return model->variant->isa;
}

ATTN_WEAK const attn_functions attn_common_functions = {
    .open = attn_open,
    .close = attn_close,
    .isa = attn_isa,
    .workspace_bytes = attn_workspace_bytes,
    .prepare = attn_prepare,
    .run = attn_run_once,
    .call = attn_call,
    .part = attn_part,
    .sequence_pages = attn_sequence_pages,
};
