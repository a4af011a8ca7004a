/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Resize, crop, rescale and normalise: checks and memory around the kernels. */

#include <math.h>
#include <stdlib.h>

#include "attn/image.h"
#include "runtime/image/Axis.h"
#include "runtime/image/Decode.h"
#include "runtime/image/Kernels.h"

static attn_status check_transform(const attn_image_transform *transform,
                                   attn_error *error) {
  const attn_image_transform *t = transform;
  if (t->channels != 1 && t->channels != 3)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "transform: channels must be 1 or 3, but is %d",
                           t->channels);
  if (t->resize < ATTN_RESIZE_NONE || t->resize > ATTN_RESIZE_SHORTEST_EDGE)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "transform: unknown resize %d", t->resize);
  if (t->resample < ATTN_RESAMPLE_NEAREST ||
      t->resample > ATTN_RESAMPLE_HAMMING)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "transform: unknown resample %d", t->resample);
  if (t->resize != ATTN_RESIZE_NONE &&
      (t->resize_width < 1 || t->resize_width > ATTN_IMAGE_MAX_SIDE))
    return attn_image_fail(
        error, ATTN_INVALID_ARGUMENT,
        "transform: resize_width must lie in [1, %d], but is %d",
        ATTN_IMAGE_MAX_SIDE, t->resize_width);
  if (t->resize == ATTN_RESIZE_EXACT &&
      (t->resize_height < 1 || t->resize_height > ATTN_IMAGE_MAX_SIDE))
    return attn_image_fail(
        error, ATTN_INVALID_ARGUMENT,
        "transform: resize_height must lie in [1, %d], but is %d",
        ATTN_IMAGE_MAX_SIDE, t->resize_height);
  if (t->crop_width < 0 || t->crop_height < 0 ||
      t->crop_width > ATTN_IMAGE_MAX_SIDE ||
      t->crop_height > ATTN_IMAGE_MAX_SIDE ||
      (t->crop_width == 0) != (t->crop_height == 0))
    return attn_image_fail(
        error, ATTN_INVALID_ARGUMENT,
        "transform: crop must be 0 x 0 or lie in [1, %d], but is %d x %d",
        ATTN_IMAGE_MAX_SIDE, t->crop_width, t->crop_height);
  if (!isfinite(t->rescale))
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "transform: rescale is not finite");
  for (int32_t c = 0; c < t->channels; ++c)
    if (!isfinite(t->mean[c]) || !isfinite(t->std[c]) || t->std[c] == 0)
      return attn_image_fail(
          error, ATTN_INVALID_ARGUMENT,
          "transform: mean and std of channel %d must be finite and std not "
          "zero, but are %g and %g",
          c, t->mean[c], t->std[c]);
  return ATTN_OK;
}

attn_status attn_image_output_size(const attn_image_transform *transform,
                                   int32_t width, int32_t height,
                                   int32_t *out_width, int32_t *out_height,
                                   attn_error *error) {
  if (!transform || !out_width || !out_height)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT, "an argument is NULL");
  attn_status status = check_transform(transform, error);
  if (status != ATTN_OK)
    return status;
  attn_image_axis x, y;
  status = attn_image_plan_axes(transform, width, height, &x, &y, error);
  if (status == ATTN_OK) {
    *out_width = x.out_size;
    *out_height = y.out_size;
  }
  return status;
}

/* The tables of an axis for a kernel. */
typedef struct axis_view {
  halide_dimension_t dims[3];
  halide_buffer_t first, weights;
} axis_view;

static void view_axis(const attn_image_axis *axis, axis_view *tables) {
  int32_t count = axis->end - axis->begin;
  halide_dimension_t *dims = tables->dims;
  dims[0] = (halide_dimension_t){axis->begin, count, 1, 0};
  dims[1] = (halide_dimension_t){0, axis->taps, 1, 0};
  dims[2] = (halide_dimension_t){axis->begin, count, axis->taps, 0};
  tables->first = attn_image_view(axis->first, halide_type_int, 32, 1, dims);
  tables->weights =
      attn_image_view(axis->weights, halide_type_int, 32, 2, dims + 1);
}

/* A resize in progress. */
typedef struct resize {
  const attn_image *image;
  attn_image_axis x, y;
  uint8_t *middle; /* after the first pass: what the second one needs */
  uint8_t *pixels; /* after the second: planes of the output's size */
  const attn_image_kernels *kernels;
} resize;

/* Pillow's rule since version 13. It decides bits, since each pass rounds. */
static int columns_first(const resize *r) {
  int32_t shrinks_y = r->y.in_size - r->y.resized;
  return shrinks_y > 0 && shrinks_y > (r->x.in_size - r->x.resized) * 2;
}

static int64_t middle_bytes(const resize *r) {
  int64_t width = columns_first(r) ? r->x.last_sample - r->x.first_sample + 1
                                   : r->x.end - r->x.begin;
  int64_t height = columns_first(r) ? r->y.end - r->y.begin
                                    : r->y.last_sample - r->y.first_sample + 1;
  return width * height * r->image->channels;
}

/* What of the result shows the picture. */
static halide_buffer_t view_result(const resize *r, halide_dimension_t *dims) {
  int32_t stride = r->x.out_size;
  dims[0] = (halide_dimension_t){r->x.begin, r->x.end - r->x.begin, 1, 0};
  dims[1] = (halide_dimension_t){r->y.begin, r->y.end - r->y.begin, stride, 0};
  dims[2] =
      (halide_dimension_t){0, r->image->channels, stride * r->y.out_size, 0};
  uint8_t *first = r->pixels + (size_t)r->y.begin * (size_t)stride + r->x.begin;
  return attn_image_view(first, halide_type_uint, 8, 3, dims);
}

/* Along rows, then along columns; planes lie between. */
static void resize_rows_first(const resize *r) {
  int32_t channels = r->image->channels, width = r->x.end - r->x.begin;
  int32_t rows = r->y.last_sample - r->y.first_sample + 1;
  int32_t in_stride = r->image->width * channels;
  halide_dimension_t in_dims[3] = {{0, r->image->width, channels, 0},
                                   {0, r->image->height, in_stride, 0},
                                   {0, channels, 1, 0}};
  halide_dimension_t middle_dims[3] = {{r->x.begin, width, 1, 0},
                                       {r->y.first_sample, rows, width, 0},
                                       {0, channels, width * rows, 0}};
  halide_dimension_t out_dims[3];
  halide_buffer_t in =
      attn_image_view(r->image->pixels, halide_type_uint, 8, 3, in_dims);
  halide_buffer_t middle =
      attn_image_view(r->middle, halide_type_uint, 8, 3, middle_dims);
  halide_buffer_t out = view_result(r, out_dims);
  axis_view x, y;
  view_axis(&r->x, &x);
  view_axis(&r->y, &y);
  r->kernels->rows(&in, &x.first, &x.weights, &middle);
  r->kernels->columns(&middle, &y.first, &y.weights, &out);
}

/* Along columns, then along rows; the first pass sees interleaved channels as
   one channel of longer rows. */
static void resize_columns_first(const resize *r) {
  int32_t channels = r->image->channels, height = r->y.end - r->y.begin;
  int32_t columns = r->x.last_sample - r->x.first_sample + 1;
  int32_t in_stride = r->image->width * channels, stride = columns * channels;
  halide_dimension_t in_dims[3] = {
      {0, stride, 1, 0}, {0, r->image->height, in_stride, 0}, {0, 1, 0, 0}};
  halide_dimension_t flat_dims[3] = {
      {0, stride, 1, 0}, {r->y.begin, height, stride, 0}, {0, 1, 0, 0}};
  halide_dimension_t middle_dims[3] = {
      {r->x.first_sample, columns, channels, 0},
      {r->y.begin, height, stride, 0},
      {0, channels, 1, 0}};
  halide_dimension_t out_dims[3];
  halide_buffer_t in = attn_image_view(
      r->image->pixels + (ptrdiff_t)r->x.first_sample * channels,
      halide_type_uint, 8, 3, in_dims);
  halide_buffer_t flat =
      attn_image_view(r->middle, halide_type_uint, 8, 3, flat_dims);
  halide_buffer_t middle =
      attn_image_view(r->middle, halide_type_uint, 8, 3, middle_dims);
  halide_buffer_t out = view_result(r, out_dims);
  axis_view x, y;
  view_axis(&r->x, &x);
  view_axis(&r->y, &y);
  r->kernels->columns(&in, &y.first, &y.weights, &flat);
  r->kernels->rows(&middle, &x.first, &x.weights, &out);
}

static void normalise(const resize *r, const attn_image_transform *transform,
                      float *out) {
  int32_t width = r->x.out_size, height = r->y.out_size;
  halide_dimension_t dims[3] = {{0, width, 1, 0},
                                {0, height, width, 0},
                                {0, r->image->channels, width * height, 0}};
  halide_buffer_t in = attn_image_view(r->pixels, halide_type_uint, 8, 3, dims);
  halide_buffer_t result = attn_image_view(out, halide_type_float, 32, 3, dims);
  halide_dimension_t channels = {0, r->image->channels, 1, 0};
  halide_buffer_t mean =
      attn_image_view(transform->mean, halide_type_float, 32, 1, &channels);
  halide_buffer_t deviation =
      attn_image_view(transform->std, halide_type_float, 32, 1, &channels);
  r->kernels->normalise(&in, transform->rescale, &mean, &deviation, &result);
}

static attn_status allocate(resize *r, size_t count, attn_error *error) {
  int64_t bytes = middle_bytes(r);
  if (bytes > INT32_MAX)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "resizing %d x %d pixels to %d x %d takes more than "
                           "2 GiB in between",
                           r->x.in_size, r->y.in_size, r->x.resized,
                           r->y.resized);
  r->middle = malloc((size_t)bytes);
  r->pixels = calloc(count, 1); /* padding is black */
  if (!r->middle || !r->pixels)
    return attn_image_fail(error, ATTN_OUT_OF_MEMORY, "no memory for resizing");
  return ATTN_OK;
}

static attn_status run(resize *r, const attn_image_transform *transform,
                       float *out, size_t count, attn_error *error) {
  attn_status status =
      attn_image_fill_axis(&r->x, transform->resample, r->kernels, error);
  if (status == ATTN_OK)
    status =
        attn_image_fill_axis(&r->y, transform->resample, r->kernels, error);
  if (status == ATTN_OK)
    status = allocate(r, count, error);
  if (status != ATTN_OK)
    return status;
  if (columns_first(r))
    resize_columns_first(r);
  else
    resize_rows_first(r);
  normalise(r, transform, out);
  return ATTN_OK;
}

attn_status attn_image_preprocess(const attn_image_transform *transform,
                                  const attn_image *image, float *out,
                                  size_t count, attn_error *error) {
  if (!transform || !image || !image->pixels || !out)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT, "an argument is NULL");
  attn_status status = check_transform(transform, error);
  if (status != ATTN_OK)
    return status;
  resize r = {.image = image, .kernels = attn_image_select_kernels()};
  status = attn_image_plan_axes(transform, image->width, image->height, &r.x,
                                &r.y, error);
  if (status != ATTN_OK)
    return status;
  if (image->channels != transform->channels)
    return attn_image_fail(
        error, ATTN_INVALID_ARGUMENT,
        "the picture has %d channels, the transform expects %d",
        image->channels, transform->channels);
  size_t needed =
      (size_t)r.x.out_size * (size_t)r.y.out_size * (size_t)transform->channels;
  if (count != needed)
    return attn_image_fail(
        error, ATTN_INVALID_ARGUMENT,
        "the result is %d x %d x %d (%zu floats), but out holds %zu",
        transform->channels, r.y.out_size, r.x.out_size, needed, count);
  status = run(&r, transform, out, count, error);
  free(r.middle);
  free(r.pixels);
  attn_image_free_axis(&r.x);
  attn_image_free_axis(&r.y);
  return status;
}
