/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the sources of the common object share. */

#ifndef ATTN_RUNTIME_INTERNAL_H
#define ATTN_RUNTIME_INTERNAL_H

#include "attn/abi.h"

#include <stdbool.h>

/* Every model carries the common object, so its symbols bear the ABI's version
   and are weak: models of one version share a copy when they are linked into
   one program, models of different versions keep their own. Hidden, so that a
   shared library exports its model's functions only. */
#define ATTN_PASTE_(version, name) attn_v##version##_##name
#define ATTN_PASTE(version, name) ATTN_PASTE_(version, name)
#define ATTN_COMMON(name) ATTN_PASTE(ATTN_ABI_VERSION, name)
#if defined(__GNUC__)
#define ATTN_SHARED __attribute__((visibility("hidden")))
/* On definitions only: a weak reference would not pull its archive member. */
#define ATTN_WEAK __attribute__((weak))
#define ATTN_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#error "the runtime needs weak symbols of the GNU kind"
#endif

#define attn_describe_failure ATTN_COMMON(describe_failure)
#define attn_cpu_features ATTN_COMMON(cpu_features)
#define attn_crc32 ATTN_COMMON(crc32)
#define attn_map_weights ATTN_COMMON(map_weights)
#define attn_unmap_weights ATTN_COMMON(unmap_weights)
#define attn_open ATTN_COMMON(open)
#define attn_close ATTN_COMMON(close)
#define attn_part ATTN_COMMON(part)
#define attn_isa ATTN_COMMON(isa)
#define attn_workspace_bytes ATTN_COMMON(workspace_bytes)
#define attn_prepare ATTN_COMMON(prepare)
#define attn_run_once ATTN_COMMON(run)
#define attn_call ATTN_COMMON(call)
#define attn_sequence_pages ATTN_COMMON(sequence_pages)
#define attn_common_functions ATTN_COMMON(functions)

#ifdef __cplusplus
extern "C" {
#endif

/* Weights as mapped. A program without weights has no base, and its constants
   as data. */
typedef struct attn_mapping {
  void *base;
  size_t bytes;
  const char *data;
} attn_mapping;

struct attn_model {
  const attn_program *program;
  const attn_variant *variant;
  attn_mapping weights;
  struct attn_model *parts; /* behind this one in memory */
};

ATTN_SHARED ATTN_PRINTF(3, 4) void attn_describe_failure(attn_error *error,
                                                         attn_status status,
                                                         const char *format,
                                                         ...);

/* Fills *error (unless NULL) and returns status; a macro, so that analysers of
 * a caller see that it fails. */
#define attn_fail(error, status, ...)                                          \
  (attn_describe_failure(error, status, __VA_ARGS__), (status))

/* ATTN_FEATURE_ bits of this processor and operating system. */
ATTN_SHARED uint64_t attn_cpu_features(void);

/* CRC-32 of bytes, continuing from `crc` (0 at first), as zlib's crc32. */
ATTN_SHARED uint32_t attn_crc32(uint32_t crc, const void *bytes, size_t count);

ATTN_SHARED attn_status attn_map_weights(const attn_program *program,
                                         const char *path,
                                         attn_mapping *mapping,
                                         attn_error *error);
ATTN_SHARED void attn_unmap_weights(attn_mapping *mapping);

ATTN_SHARED attn_status attn_open(const attn_program *program, const char *path,
                                  const char *isa, attn_model **model,
                                  attn_error *error);
ATTN_SHARED void attn_close(attn_model *model);
ATTN_SHARED const attn_model *attn_part(const attn_model *model,
                                        uint32_t index);
ATTN_SHARED size_t attn_sequence_pages(const attn_program *program,
                                       size_t tokens, size_t at_once);
ATTN_SHARED const char *attn_isa(const attn_model *model);
ATTN_SHARED attn_status attn_workspace_bytes(const attn_model *model,
                                             const int64_t *dims, size_t slots,
                                             size_t *bytes, attn_error *error);
ATTN_SHARED attn_status attn_prepare(const attn_model *model,
                                     const attn_executor *executor,
                                     void *workspace, size_t bytes,
                                     const int64_t *dims, attn_run **run,
                                     attn_error *error);
ATTN_SHARED attn_status attn_run_once(attn_run *run, const void *const *inputs,
                                      void *const *outputs, attn_error *error);
ATTN_SHARED attn_status attn_call(const attn_model *model,
                                  const attn_executor *executor,
                                  const int64_t *dims,
                                  const void *const *inputs,
                                  void *const *outputs, attn_error *error);

/* The table that attn_program.functions points to. */
ATTN_SHARED extern const attn_functions attn_common_functions;

#ifdef __cplusplus
}
#endif

#endif /* ATTN_RUNTIME_INTERNAL_H */
