/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Opens a model whose weights are where CMake said, and tells what it is. */

#include "timm.h"

#include <attn/abi.h>

#include <stdio.h>

int main(void) {
  attn_error error;
  attn_model *model;
  if (timm_open(WEIGHTS, &model, &error) != ATTN_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  const attn_program *program = timm_program();
  printf("variants:");
  for (uint32_t i = 0; i < program->variant_count; ++i)
    printf(" %s", program->variants[i].isa);
  printf("\ndynamic dimensions: %u\n", program->dim_count);
  printf("batch: %d\n", (int)program->inputs[0].shape[0]);
  timm_close(model);
  return 0;
}
