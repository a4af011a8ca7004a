/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files and memory to pictures: finds the format, decodes, converts channels.
 */

#include "attn/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/image/Decode.h"

/* Larger files are no pictures that a model looks at. */
static const size_t max_file_bytes = (size_t)1 << 30;

void attn_image_describe_failure(attn_error *error, attn_status status,
                                 const char *format, ...) {
  if (!error)
    return;
  error->status = status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
}

attn_status attn_image_allocate(attn_image *image, uint64_t width,
                                uint64_t height, int32_t channels,
                                attn_error *error) {
  if (width == 0 || height == 0)
    return attn_image_fail(
        error, ATTN_BAD_FILE, "the picture is empty: %llu x %llu pixels",
        (unsigned long long)width, (unsigned long long)height);
  if (width > ATTN_IMAGE_MAX_PIXELS || height > ATTN_IMAGE_MAX_PIXELS / width)
    return attn_image_fail(
        error, ATTN_BAD_FILE,
        "the picture has %llu x %llu pixels; at most %d are accepted",
        (unsigned long long)width, (unsigned long long)height,
        ATTN_IMAGE_MAX_PIXELS);
  size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
  image->pixels = malloc(bytes);
  if (!image->pixels)
    return attn_image_fail(error, ATTN_OUT_OF_MEMORY,
                           "no memory for a picture of %zu bytes", bytes);
  image->width = (int32_t)width;
  image->height = (int32_t)height;
  image->channels = channels;
  return ATTN_OK;
}

void attn_image_free(attn_image *image) {
  free(image->pixels);
  *image = (attn_image){0};
}

/* RGB to grey in place, as Pillow rounds it (ITU-R 601-2). */
static void make_grey(attn_image *image) {
  size_t count = (size_t)image->width * (size_t)image->height;
  uint8_t *pixels = image->pixels;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t *rgb = pixels + 3 * i;
    pixels[i] = (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] +
                           32768u) >>
                          16);
  }
  image->channels = 1;
}

static attn_status make_rgb(attn_image *image, attn_error *error) {
  attn_image rgb = {0};
  attn_status status = attn_image_allocate(&rgb, (uint64_t)image->width,
                                           (uint64_t)image->height, 3, error);
  if (status != ATTN_OK)
    return status;
  size_t count = (size_t)image->width * (size_t)image->height;
  for (size_t i = 0; i < count; ++i)
    memset(rgb.pixels + 3 * i, image->pixels[i], 3);
  attn_image_free(image);
  *image = rgb;
  return ATTN_OK;
}

static attn_status decode_any(const uint8_t *bytes, size_t size,
                              attn_image *image, attn_error *error) {
  static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  static const uint8_t jpeg[3] = {0xff, 0xd8, 0xff};
  if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
    return attn_image_decode_png(bytes, size, image, error);
  if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
    return attn_image_decode_jpeg(bytes, size, image, error);
  return attn_image_fail(error, ATTN_BAD_FILE,
                         "neither PNG nor JPEG (%zu bytes)", size);
}

attn_status attn_image_decode(const void *bytes, size_t size, int32_t channels,
                              attn_image *image, attn_error *error) {
  if (!image)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT, "image is NULL");
  *image = (attn_image){0};
  if (channels != 1 && channels != 3)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "channels must be 1 or 3, but is %d", channels);
  if (!bytes && size)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT, "bytes is NULL");
  attn_status status = decode_any(bytes, size, image, error);
  if (status == ATTN_OK && channels == 3 && image->channels == 1)
    status = make_rgb(image, error);
  else if (status == ATTN_OK && channels == 1 && image->channels == 3)
    make_grey(image);
  if (status != ATTN_OK)
    attn_image_free(image);
  return status;
}

/* Reads a whole regular file; *bytes is the caller's. */
static attn_status read_file(const char *path, uint8_t **bytes, size_t *size,
                             attn_error *error) {
  FILE *file = fopen(path, "rb");
  struct stat info;
  if (!file || fstat(fileno(file), &info) != 0) {
    attn_status status =
        attn_image_fail(error, ATTN_IO_ERROR, "%s: %s", path, strerror(errno));
    if (file)
      fclose(file);
    return status;
  }
  attn_status status = ATTN_OK;
  *bytes = NULL;
  if (!S_ISREG(info.st_mode))
    status =
        attn_image_fail(error, ATTN_IO_ERROR, "%s: not a regular file", path);
  else if ((uint64_t)info.st_size > max_file_bytes)
    status = attn_image_fail(error, ATTN_BAD_FILE,
                             "%s: %lld bytes; at most %zu are accepted", path,
                             (long long)info.st_size, max_file_bytes);
  else if (!(*bytes = malloc((size_t)info.st_size + 1)))
    status = attn_image_fail(error, ATTN_OUT_OF_MEMORY,
                             "%s: no memory for %lld bytes", path,
                             (long long)info.st_size);
  else if ((*size = fread(*bytes, 1, (size_t)info.st_size, file)) <
           (size_t)info.st_size)
    status = attn_image_fail(error, ATTN_IO_ERROR, "%s: read %zu of %lld bytes",
                             path, *size, (long long)info.st_size);
  fclose(file);
  if (status != ATTN_OK) {
    free(*bytes);
    *bytes = NULL;
  }
  return status;
}

attn_status attn_image_load(const char *path, int32_t channels,
                            attn_image *image, attn_error *error) {
  if (!path || !image)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT, "%s is NULL",
                           path ? "image" : "path");
  *image = (attn_image){0};
  uint8_t *bytes;
  size_t size;
  attn_status status = read_file(path, &bytes, &size, error);
  if (status != ATTN_OK)
    return status;
  attn_error inner;
  status = attn_image_decode(bytes, size, channels, image, &inner);
  free(bytes);
  if (status != ATTN_OK)
    return attn_image_fail(error, status, "%s: %s", path, inner.message);
  return ATTN_OK;
}
