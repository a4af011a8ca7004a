/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Pictures for vision models: reads PNG and JPEG and prepares them the way
   Hugging Face's image processors do. Link with attn_image.

   All functions are reentrant and keep no state. `error` may be NULL. */

#ifndef ATTN_IMAGE_H
#define ATTN_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "attn/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pictures of more pixels than this are refused (Pillow's limit too). */
#define ATTN_IMAGE_MAX_PIXELS 178956970

/* A picture: rows from top to bottom, pixels from left to right, channels
   together and in the order red, green, blue; no padding. */
typedef struct attn_image {
  int32_t width, height;
  int32_t channels; /* 1: grey, 3: red, green, blue */
  uint8_t *pixels;  /* width * height * channels bytes */
} attn_image;

/* Reads a PNG or JPEG file as grey (channels 1) or RGB (channels 3).
   Like Pillow's Image.open(path).convert("L" or "RGB"): transparency is
   dropped, palettes are looked up, grey is (19595 R + 38470 G + 7471 B + 32768)
   >> 16, gamma, colour profiles and the EXIF orientation are ignored. Of 16-bit
   samples the high byte is kept. Pixels are the caller's, to be freed by
   attn_image_free; after an error *image is all zero. ATTN_IO_ERROR: the file
   cannot be read; ATTN_BAD_FILE: it is no PNG or JPEG, is damaged or truncated,
   or has too many pixels. */
attn_status attn_image_load(const char *path, int32_t channels,
                            attn_image *image, attn_error *error);

/* The same for a file in memory. */
attn_status attn_image_decode(const void *bytes, size_t size, int32_t channels,
                              attn_image *image, attn_error *error);

/* Frees the pixels and clears *image; a cleared image may be freed again. */
void attn_image_free(attn_image *image);

/* Filters with the numbers that Pillow and preprocessor_config.json give them.
 */
typedef enum attn_resample {
  ATTN_RESAMPLE_NEAREST = 0,
  ATTN_RESAMPLE_LANCZOS = 1,
  ATTN_RESAMPLE_BILINEAR = 2,
  ATTN_RESAMPLE_BICUBIC = 3,
  ATTN_RESAMPLE_BOX = 4,
  ATTN_RESAMPLE_HAMMING = 5
} attn_resample;

typedef enum attn_resize {
  ATTN_RESIZE_NONE = 0,
  ATTN_RESIZE_EXACT = 1, /* to resize_width x resize_height */
  ATTN_RESIZE_SHORTEST_EDGE =
      2 /* the shorter side to resize_width, the other in proportion */
} attn_resize;

/* What happens to a picture on its way into a model, in this order. */
typedef struct attn_image_transform {
  int32_t channels; /* of the model's input: 1 or 3; the picture must have as
                       many */
  int32_t resize;   /* attn_resize */
  int32_t resize_width, resize_height;
  int32_t resample;                /* attn_resample */
  int32_t crop_width, crop_height; /* from the centre, black around smaller
                                      ones; 0, 0: no crop */
  double rescale;        /* each sample times this: 1 / 255 or, for none, 1 */
  float mean[3], std[3]; /* then (sample - mean) / std; for none, 0 and 1 */
} attn_image_transform;

/* Width and height of what attn_image_preprocess makes of a picture. */
attn_status attn_image_output_size(const attn_image_transform *transform,
                                   int32_t width, int32_t height,
                                   int32_t *out_width, int32_t *out_height,
                                   attn_error *error);

/* Prepares one picture. `out` gets channels x height x width floats, planes one
   after the other; `count` is how many floats it holds and must be just that.
   Resizing equals Pillow's bit for bit, 8-bit rounding between the passes
   included. */
attn_status attn_image_preprocess(const attn_image_transform *transform,
                                  const attn_image *image, float *out,
                                  size_t count, attn_error *error);

#ifdef __cplusplus
}
#endif

#endif /* ATTN_IMAGE_H */
