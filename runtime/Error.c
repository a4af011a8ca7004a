/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Errors for people. */

#include "runtime/Internal.h"

#include <stdarg.h>
#include <stdio.h>

ATTN_WEAK void attn_describe_failure(attn_error *error, attn_status status,
                                     const char *format, ...) {
  if (!error)
    return;
  error->status = status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof(error->message), format, arguments);
  va_end(arguments);
}
