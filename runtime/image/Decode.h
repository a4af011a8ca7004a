/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the decoders of single formats give to attn_image_decode. */

#ifndef ATTN_RUNTIME_IMAGE_DECODE_H
#define ATTN_RUNTIME_IMAGE_DECODE_H

#include "attn/image.h"

void attn_image_describe_failure(attn_error *error, attn_status status,
                                 const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills *error where it is not NULL, and returns `status`; a macro, so that
   analysers of a caller see that it fails. */
#define attn_image_fail(error, status, ...)                                    \
  (attn_image_describe_failure(error, status, __VA_ARGS__), (status))

/* Checks the size and allocates the pixels of *image. */
attn_status attn_image_allocate(attn_image *image, uint64_t width,
                                uint64_t height, int32_t channels,
                                attn_error *error);

/* Decode into grey or RGB, whichever the file has. Pixels of *image may be
   allocated after an error too; the caller frees them. */
attn_status attn_image_decode_png(const uint8_t *bytes, size_t size,
                                  attn_image *image, attn_error *error);
attn_status attn_image_decode_jpeg(const uint8_t *bytes, size_t size,
                                   attn_image *image, attn_error *error);

#endif /* ATTN_RUNTIME_IMAGE_DECODE_H */
