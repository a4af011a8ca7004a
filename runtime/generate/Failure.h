/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Errors of the generation library. */

#ifndef ATTN_RUNTIME_GENERATE_FAILURE_H
#define ATTN_RUNTIME_GENERATE_FAILURE_H

#include "attn/attn.h"

/* Fills *error (unless NULL) and returns status. */
__attribute__((format(printf, 3, 4), visibility("hidden"))) attn_status
attn_generate_fail(attn_error *error, attn_status status, const char *format,
                   ...);

#endif /* ATTN_RUNTIME_GENERATE_FAILURE_H */
