/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Workspaces and runs. A workspace holds, in this order: the run object, its
   dimensions, its table of offsets, a bit for each page of a cache, and at the
   next aligned byte what the program planned. */

#define _POSIX_C_SOURCE 200809L

#include "runtime/FloatMode.h"
#include "runtime/Internal.h"
#include "runtime/Tensors.h"

#include <stdlib.h>
#include <string.h>

struct attn_run {
  const attn_model *model;
  attn_executor host;     /* the caller's */
  attn_executor executor; /* what generated code sees; wraps host */
  int64_t *dims;
  int64_t *offsets;
  uint64_t *marks; /* 0 between runs */
  char *planned;
};

/*===-- The executor around the caller's
 * ------------------------------------===*/

static void run_in_order(void *context, size_t slots, attn_task task,
                         void *arg) {
  (void)context;
  for (size_t slot = 0; slot < slots; ++slot)
    task(arg, slot);
}

typedef struct moded_task {
  attn_task task;
  void *arg;
} moded_task;

static void run_moded_task(void *arg, size_t slot) {
  const moded_task *moded = arg;
  attn_float_mode saved = attn_enter_float_mode();
  moded->task(moded->arg, slot);
  attn_leave_float_mode(saved);
}

/* Every task runs in the kernels' floating-point mode, whichever thread the
   host gives it to. One that is called with no slots is not the host's: it
   ends a launch, on this thread. */
static void run_on_host(void *context, size_t slots, attn_task task,
                        void *arg) {
  const attn_executor *host = context;
  moded_task moded = {task, arg};
  if (slots == 0)
    run_moded_task(&moded, 0);
  else
    host->run(host->context, slots, run_moded_task, &moded);
}

/*===-- Workspace
 * ------------------------------------------------------------===*/

static size_t mark_words(const attn_program *program, const int64_t *dims) {
  return ((size_t)attn_page_count(program, dims) + 63) / 64;
}

static size_t head_bytes(const attn_program *program, const int64_t *dims) {
  size_t words = (size_t)program->dim_count + program->buffer_count + 2 +
                 mark_words(program, dims);
  size_t bytes = sizeof(attn_run) + words * sizeof(int64_t);
  return (bytes + ATTN_WORKSPACE_ALIGNMENT - 1) &
         ~(size_t)(ATTN_WORKSPACE_ALIGNMENT - 1);
}

static attn_status plan(const attn_model *model, const int64_t *dims,
                        size_t slots, int64_t *offsets, size_t *bytes,
                        attn_error *error) {
  int64_t planned = slots > INT64_MAX
                        ? -1
                        : model->variant->plan(dims, (int64_t)slots, offsets);
  if (planned < 0 ||
      (uint64_t)planned > PTRDIFF_MAX - head_bytes(model->program, dims))
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "the workspace of '%s' is too large at these dimensions "
                     "and %zu slots",
                     model->program->name, slots);
  *bytes = head_bytes(model->program, dims) + (size_t)planned;
  return ATTN_OK;
}

ATTN_WEAK attn_status attn_workspace_bytes(const attn_model *model,
                                           const int64_t *dims, size_t slots,
                                           size_t *bytes, attn_error *error) {
  if (!model || !bytes)
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "%s is NULL",
                     model ? "bytes" : "model");
  if (slots == 0)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "expects at least one slot, but got 0");
  attn_status status = attn_check_dims(model->program, dims, error);
  if (status != ATTN_OK)
    return status;
  size_t table_bytes =
      ((size_t)model->program->buffer_count + 2) * sizeof(int64_t);
  int64_t *offsets = malloc(table_bytes);
  if (!offsets)
    return attn_fail(error, ATTN_OUT_OF_MEMORY, "cannot allocate %zu bytes",
                     table_bytes);
  status = plan(model, dims, slots, offsets, bytes, error);
  free(offsets);
  return status;
}

/*===-- Prepare and run
 * ------------------------------------------------------===*/

static attn_status check_executor(const attn_executor *executor,
                                  attn_error *error) {
  if (executor && !executor->run)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "the executor's run is NULL");
  if (executor && executor->slots == 0)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "expects an executor of at least one slot, but got 0");
  return ATTN_OK;
}

static attn_status check_workspace(const void *workspace, size_t bytes,
                                   size_t needed, attn_error *error) {
  if (!workspace)
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "workspace is NULL");
  if ((uintptr_t)workspace % ATTN_WORKSPACE_ALIGNMENT)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "expects a workspace aligned to %d bytes",
                     ATTN_WORKSPACE_ALIGNMENT);
  if (bytes < needed)
    return attn_fail(error, ATTN_INVALID_ARGUMENT,
                     "expects a workspace of at least %zu bytes, but got %zu",
                     needed, bytes);
  return ATTN_OK;
}

static attn_run *place_run(const attn_model *model,
                           const attn_executor *executor, char *workspace,
                           const int64_t *dims) {
  const attn_program *program = model->program;
  attn_run *run = (attn_run *)workspace;
  run->model = model;
  run->host = executor ? *executor : (attn_executor){NULL, 1, run_in_order};
  run->executor = (attn_executor){&run->host, run->host.slots, run_on_host};
  run->dims = (int64_t *)(run + 1);
  run->offsets = run->dims + program->dim_count;
  run->marks = (uint64_t *)(run->offsets + program->buffer_count + 2);
  run->planned = workspace + head_bytes(program, dims);
  memset(run->marks, 0, mark_words(program, dims) * sizeof(uint64_t));
  if (program->dim_count)
    memcpy(run->dims, dims, program->dim_count * sizeof(int64_t));
  return run;
}

ATTN_WEAK attn_status attn_prepare(const attn_model *model,
                                   const attn_executor *executor,
                                   void *workspace, size_t bytes,
                                   const int64_t *dims, attn_run **run,
                                   attn_error *error) {
  if (!model || !run)
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "%s is NULL",
                     model ? "run" : "model");
  *run = NULL;
  attn_status status = check_executor(executor, error);
  if (status == ATTN_OK)
    status = attn_check_dims(model->program, dims, error);
  if (status == ATTN_OK)
    status = check_workspace(workspace, bytes, head_bytes(model->program, dims),
                             error);
  if (status != ATTN_OK)
    return status;

  attn_run *placed = place_run(model, executor, workspace, dims);
  size_t needed;
  status = plan(model, placed->dims, placed->host.slots, placed->offsets,
                &needed, error);
  if (status == ATTN_OK)
    status = check_workspace(workspace, bytes, needed, error);
  if (status == ATTN_OK)
    *run = placed;
  return status;
}

ATTN_WEAK attn_status attn_run_once(attn_run *run, const void *const *inputs,
                                    void *const *outputs, attn_error *error) {
  if (!run)
    return attn_fail(error, ATTN_INVALID_ARGUMENT, "run is NULL");
  const attn_model *model = run->model;
  attn_status status =
      attn_check_tensors(model->program, run->dims, inputs, outputs, error);
  if (status == ATTN_OK && model->program->cache)
    status = attn_check_sequences(model->program, run->dims, inputs, run->marks,
                                  error);
  if (status != ATTN_OK)
    return status;
  attn_frame frame = {
      .dims = run->dims,
      .offsets = run->offsets,
      .inputs = inputs,
      .outputs = outputs,
      .weights = model->weights.data,
      .workspace = run->planned,
      .executor = &run->executor,
  };
  status = (attn_status)model->variant->body(&frame);
  if (status != ATTN_OK)
    return attn_fail(error, status, "'%s' failed with status %d",
                     model->program->name, (int)status);
  return ATTN_OK;
}

ATTN_WEAK attn_status attn_call(const attn_model *model,
                                const attn_executor *executor,
                                const int64_t *dims, const void *const *inputs,
                                void *const *outputs, attn_error *error) {
  size_t bytes;
  attn_status status = attn_workspace_bytes(
      model, dims, executor ? executor->slots : 1, &bytes, error);
  if (status != ATTN_OK)
    return status;
  void *workspace;
  if (posix_memalign(&workspace, ATTN_WORKSPACE_ALIGNMENT, bytes) != 0)
    return attn_fail(error, ATTN_OUT_OF_MEMORY, "cannot allocate %zu bytes",
                     bytes);
  attn_run *run;
  status = attn_prepare(model, executor, workspace, bytes, dims, &run, error);
  if (status == ATTN_OK)
    status = attn_run_once(run, inputs, outputs, error);
  free(workspace);
  return status;
}
