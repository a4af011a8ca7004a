/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Errors of the generation library. */

#include "runtime/generate/Failure.h"

#include <stdarg.h>
#include <stdio.h>

attn_status attn_generate_fail(attn_error *error, attn_status status,
                               const char *format, ...) {
  if (error) {
    error->status = status;
    va_list values;
    va_start(values, format);
    vsnprintf(error->message, sizeof(error->message), format, values);
    va_end(values);
  }
  return status;
}
