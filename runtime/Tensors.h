/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sizes of a program's tensors, and checks of what a caller passes for them. */

#ifndef ATTN_RUNTIME_TENSORS_H
#define ATTN_RUNTIME_TENSORS_H

#include "runtime/Internal.h"

#define attn_check_dims ATTN_COMMON(check_dims)
#define attn_check_tensors ATTN_COMMON(check_tensors)
#define attn_page_count ATTN_COMMON(page_count)
#define attn_check_sequences ATTN_COMMON(check_sequences)

/* Dimensions lie within their bounds and no input or output is too large for
   memory. */
ATTN_SHARED attn_status attn_check_dims(const attn_program *program,
                                        const int64_t *dims, attn_error *error);

/* Pointers are there, aligned and do not overlap where they must not; every
   element of a bounded input lies within its bound. `dims` passed
   attn_check_dims. */
ATTN_SHARED attn_status attn_check_tensors(const attn_program *program,
                                           const int64_t *dims,
                                           const void *const *inputs,
                                           void *const *outputs,
                                           attn_error *error);

/* The pages of the cache at these sizes; 0 for a program without one. */
ATTN_SHARED int64_t attn_page_count(const attn_program *program,
                                    const int64_t *dims);

/* Counts, lengths and pages of a program with a cache agree with each other and
   with its memory, and no page is written for one sequence and used for
   another. `marks` has a bit for each page, 0 before and after the call.
   `inputs` passed attn_check_tensors. */
ATTN_SHARED attn_status attn_check_sequences(const attn_program *program,
                                             const int64_t *dims,
                                             const void *const *inputs,
                                             uint64_t *marks,
                                             attn_error *error);

#endif /* ATTN_RUNTIME_TENSORS_H */
