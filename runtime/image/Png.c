/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* PNG through libpng, from memory, with errors returned instead of aborts. */

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/image/Decode.h"

typedef struct decoder {
  png_structp png;
  png_infop info;
  png_bytep *rows;
  const uint8_t *bytes; /* not read yet, and how many */
  size_t left;
  char message[160]; /* libpng's own words for what is wrong */
} decoder;

static void read_bytes(png_structp png, png_bytep out, size_t count) {
  decoder *self = png_get_io_ptr(png);
  if (count > self->left)
    png_error(png, "the file is truncated");
  memcpy(out, self->bytes, count);
  self->bytes += count;
  self->left -= count;
}

static void on_error(png_structp png, png_const_charp message) {
  decoder *self = png_get_error_ptr(png);
  strncpy(self->message, message, sizeof self->message - 1);
  png_longjmp(png, 1);
}

/* Damage that a warning reports is in chunks that do not change the pixels. */
static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

/* Asks for 8-bit grey or RGB, whatever the file stores. */
static int32_t request_plain_pixels(png_structp png, png_infop info) {
  int colour = png_get_color_type(png, info);
  png_set_strip_16(png);
  if (colour == PNG_COLOR_TYPE_PALETTE)
    png_set_palette_to_rgb(png);
  else if (colour == PNG_COLOR_TYPE_GRAY)
    png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return png_get_channels(png, info);
}

/* Deflate expands at most about 1032 times, so a header that promises more than
   the file can hold is refused before its memory is touched. */
static int could_hold(png_structp png, png_infop info, size_t file_bytes) {
  return png_get_rowbytes(png, info) / 1032 <=
         file_bytes / png_get_image_height(png, info) + 1;
}

/* Everything that may longjmp; what must be freed after that is in *self. */
static attn_status read_pixels(decoder *self, attn_image *image,
                               attn_error *error) {
  png_structp png = self->png;
  png_infop info = self->info;
  size_t file_bytes = self->left;
  png_set_read_fn(png, self, read_bytes);
  png_set_user_limits(png, ATTN_IMAGE_MAX_PIXELS, ATTN_IMAGE_MAX_PIXELS);
  png_read_info(png, info);
  int32_t channels = request_plain_pixels(png, info);
  if ((channels != 1 && channels != 3) || png_get_bit_depth(png, info) != 8)
    png_error(png, "unknown pixel format");
  attn_status status =
      attn_image_allocate(image, png_get_image_width(png, info),
                          png_get_image_height(png, info), channels, error);
  if (status != ATTN_OK)
    return status;
  if (!could_hold(png, info, file_bytes))
    png_error(png, "the file is too short for its size in pixels");
  self->rows = malloc((size_t)image->height * sizeof *self->rows);
  if (!self->rows)
    return attn_image_fail(error, ATTN_OUT_OF_MEMORY, "no memory for %d rows",
                           image->height);
  size_t stride = (size_t)image->width * (size_t)channels;
  for (int32_t y = 0; y < image->height; ++y)
    self->rows[y] = image->pixels + (size_t)y * stride;
  png_read_image(png, self->rows);
  png_read_end(png, NULL);
  return ATTN_OK;
}

/* setjmp stands in a function without changing locals of its own. */
static attn_status decode(decoder *self, attn_image *image, attn_error *error) {
  if (setjmp(png_jmpbuf(self->png)))
    return attn_image_fail(error, ATTN_BAD_FILE, "damaged PNG: %s",
                           self->message);
  return read_pixels(self, image, error);
}

attn_status attn_image_decode_png(const uint8_t *bytes, size_t size,
                                  attn_image *image, attn_error *error) {
  decoder self = {.bytes = bytes, .left = size};
  self.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &self, on_error,
                                    on_warning);
  self.info = self.png ? png_create_info_struct(self.png) : NULL;
  attn_status status = self.info
                           ? decode(&self, image, error)
                           : attn_image_fail(error, ATTN_OUT_OF_MEMORY,
                                             "no memory for the PNG decoder");
  png_destroy_read_struct(&self.png, &self.info, NULL);
  free(self.rows);
  return status;
}
