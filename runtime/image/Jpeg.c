/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* JPEG through libjpeg-turbo, from memory, with errors returned instead of
 * exits. */

#include <setjmp.h>
#include <stdio.h>

/* jpeglib.h needs FILE before it. */
#include <jerror.h>
#include <jpeglib.h>

#include "runtime/image/Decode.h"

/* A progressive file of many empty scans would decode for hours. */
static const int max_scans = 500;

/* Of libjpeg itself: a progressive file keeps all its coefficients. */
static const long max_decoder_bytes = 1L << 30;

typedef struct decoder {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf failed;
  char message[JMSG_LENGTH_MAX];
  attn_error *error;
} decoder;

static void on_error(j_common_ptr jpeg) {
  decoder *self = jpeg->client_data;
  jpeg->err->format_message(jpeg, self->message);
  longjmp(self->failed, 1);
}

/* Like Pillow, goes on after what libjpeg only warns of (stray bytes before a
   marker, for example). */
static void on_message(j_common_ptr jpeg) { (void)jpeg; }

static void nothing(j_decompress_ptr jpeg) { (void)jpeg; }

static boolean at_end(j_decompress_ptr jpeg) {
  ERREXIT(jpeg, JERR_INPUT_EOF);
  return FALSE;
}

static void skip_bytes(j_decompress_ptr jpeg, long count) {
  if (count <= 0)
    return;
  if ((size_t)count > jpeg->src->bytes_in_buffer)
    ERREXIT(jpeg, JERR_INPUT_EOF);
  jpeg->src->next_input_byte += count;
  jpeg->src->bytes_in_buffer -= (size_t)count;
}

static void on_progress(j_common_ptr common) {
  j_decompress_ptr jpeg = (j_decompress_ptr)common;
  if (common->is_decompressor && jpeg->input_scan_number > max_scans)
    ERREXIT(common, JERR_BAD_PROGRESSION);
}

/* CMYK rows (stored inverted, as Adobe does) to RGB, rounded as Pillow does. */
static void cmyk_to_rgb(const JSAMPLE *cmyk, uint8_t *rgb, int32_t width) {
  for (int32_t x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    int white = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      int product = (255 - cmyk[c]) * white + 128;
      int value = white - (((product >> 8) + product) >> 8);
      rgb[c] = (uint8_t)(value < 0 ? 0 : value);
    }
  }
}

static void read_rows(decoder *self, attn_image *image) {
  j_decompress_ptr jpeg = &self->jpeg;
  size_t stride = (size_t)image->width * (size_t)image->channels;
  JSAMPARRAY cmyk = NULL;
  if (jpeg->out_color_space == JCS_CMYK)
    cmyk = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE,
                                   jpeg->output_width * 4, 1);
  while (jpeg->output_scanline < jpeg->output_height) {
    uint8_t *row = image->pixels + (size_t)jpeg->output_scanline * stride;
    jpeg_read_scanlines(jpeg, cmyk ? cmyk : &row, 1);
    if (cmyk)
      cmyk_to_rgb(cmyk[0], row, image->width);
  }
}

/* Each block of 8 x 8 samples takes a bit, of the component with the most
   samples at least one in 16 of the picture's: a header that promises more than
   the file can hold is refused before its memory is touched. */
static int could_hold(j_decompress_ptr jpeg, size_t file_bytes) {
  uint64_t pixels = (uint64_t)jpeg->image_width * jpeg->image_height;
  return pixels / (UINT64_C(64) * 8 * 16) <= file_bytes;
}

/* Everything that may longjmp. */
static attn_status read_picture(decoder *self, attn_image *image) {
  j_decompress_ptr jpeg = &self->jpeg;
  size_t file_bytes = self->source.bytes_in_buffer;
  jpeg_create_decompress(jpeg);
  jpeg->src = &self->source;
  jpeg->progress = &self->progress;
  jpeg->mem->max_memory_to_use = max_decoder_bytes;
  jpeg_read_header(jpeg, TRUE);
  switch (jpeg->jpeg_color_space) {
  case JCS_GRAYSCALE:
    jpeg->out_color_space = JCS_GRAYSCALE;
    break;
  case JCS_CMYK:
  case JCS_YCCK:
    jpeg->out_color_space = JCS_CMYK;
    break;
  default:
    jpeg->out_color_space = JCS_RGB;
  }
  /* Before libjpeg allocates anything in proportion to the size. */
  attn_status status = attn_image_allocate(
      image, jpeg->image_width, jpeg->image_height,
      jpeg->out_color_space == JCS_GRAYSCALE ? 1 : 3, self->error);
  if (status != ATTN_OK)
    return status;
  if (!could_hold(jpeg, file_bytes))
    return attn_image_fail(self->error, ATTN_BAD_FILE,
                           "damaged JPEG: the file is too short for its size "
                           "in pixels");
  jpeg_start_decompress(jpeg);
  read_rows(self, image);
  jpeg_finish_decompress(jpeg);
  return ATTN_OK;
}

/* setjmp stands in a function without changing locals of its own. */
static attn_status decode(decoder *self, attn_image *image) {
  if (setjmp(self->failed))
    return attn_image_fail(self->error, ATTN_BAD_FILE, "damaged JPEG: %s",
                           self->message);
  return read_picture(self, image);
}

attn_status attn_image_decode_jpeg(const uint8_t *bytes, size_t size,
                                   attn_image *image, attn_error *error) {
  decoder self = {
      .source = {bytes, size, nothing, at_end, skip_bytes,
                 jpeg_resync_to_restart, nothing},
      .progress = {.progress_monitor = on_progress},
      .error = error,
  };
  self.jpeg.err = jpeg_std_error(&self.errors);
  self.errors.error_exit = on_error;
  self.errors.output_message = on_message;
  self.jpeg.client_data = &self;
  attn_status status = decode(&self, image);
  jpeg_destroy_decompress(&self.jpeg);
  return status;
}
