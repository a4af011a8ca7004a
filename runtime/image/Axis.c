/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sizes of an axis, and the samples and weights that each of its outputs reads.
 */

#include "runtime/image/Axis.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/image/Decode.h"

/* Bits after the binary point of a weight; ImagePipelines.h has the same. */
static const int32_t weight_bits = 22;

static int32_t floor_half(int32_t value) { return (value - (value < 0)) / 2; }

static void crop(attn_image_axis *axis, int32_t size) {
  axis->out_size = size ? size : axis->resized;
  axis->offset = floor_half(axis->resized - axis->out_size);
  axis->begin = axis->offset < 0 ? -axis->offset : 0;
  int32_t end = axis->resized - axis->offset;
  axis->end = end < axis->out_size ? end : axis->out_size;
}

/* Scales the shorter side to `edge` and the other in proportion. */
static attn_status resize_shortest_edge(attn_image_axis *x, attn_image_axis *y,
                                        int32_t edge, attn_error *error) {
  attn_image_axis *shorter = x->in_size <= y->in_size ? x : y;
  attn_image_axis *longer = shorter == x ? y : x;
  int64_t other = (int64_t)edge * longer->in_size / shorter->in_size;
  if (other > ATTN_IMAGE_MAX_SIDE)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "resizing the shorter side of %d x %d pixels to %d "
                           "makes the other longer than %d",
                           x->in_size, y->in_size, edge, ATTN_IMAGE_MAX_SIDE);
  shorter->resized = edge;
  longer->resized = (int32_t)other;
  return ATTN_OK;
}

attn_status attn_image_plan_axes(const attn_image_transform *transform,
                                 int32_t width, int32_t height,
                                 attn_image_axis *x, attn_image_axis *y,
                                 attn_error *error) {
  if (width < 1 || height < 1 || width > ATTN_IMAGE_MAX_SIDE ||
      height > ATTN_IMAGE_MAX_SIDE || width > ATTN_IMAGE_MAX_PIXELS / height)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "a picture of %d x %d pixels is not accepted", width,
                           height);
  *x = (attn_image_axis){.in_size = width, .resized = width};
  *y = (attn_image_axis){.in_size = height, .resized = height};
  if (transform->resize == ATTN_RESIZE_EXACT) {
    x->resized = transform->resize_width;
    y->resized = transform->resize_height;
  } else if (transform->resize == ATTN_RESIZE_SHORTEST_EDGE) {
    attn_status status =
        resize_shortest_edge(x, y, transform->resize_width, error);
    if (status != ATTN_OK)
      return status;
  }
  crop(x, transform->crop_width);
  crop(y, transform->crop_height);
  if (x->out_size > ATTN_IMAGE_MAX_PIXELS / y->out_size)
    return attn_image_fail(error, ATTN_INVALID_ARGUMENT,
                           "a result of %d x %d pixels is not accepted",
                           x->out_size, y->out_size);
  return ATTN_OK;
}

/* Half the width of each filter, in samples of the larger grid. */
static double filter_support(int32_t filter) {
  static const double support[] = {0, 3, 1, 2, 0.5, 1};
  return support[filter];
}

/* Pillow's nearest neighbour steps through the samples by repeated addition. */
static void fill_nearest(attn_image_axis *a) {
  double step = (double)a->in_size / a->resized, position = 0.5 * step;
  for (int32_t i = 0; i < a->offset + a->end; ++i, position += step) {
    if (i < a->offset + a->begin)
      continue;
    int32_t out = i - a->offset - a->begin;
    a->first[out] = position < a->in_size ? (int32_t)position : a->in_size - 1;
    a->weights[out] = 1 << weight_bits;
  }
}

attn_status attn_image_fill_axis(attn_image_axis *a, int32_t filter,
                                 const attn_image_kernels *kernels,
                                 attn_error *error) {
  if (a->in_size == a->resized)
    filter = ATTN_RESAMPLE_NEAREST; /* every filter is the identity then */
  double scale = (double)a->in_size / a->resized;
  a->taps = (int32_t)ceil(filter_support(filter) * fmax(scale, 1)) * 2 + 1;
  if (a->taps > a->in_size)
    a->taps = a->in_size;
  int32_t count = a->end - a->begin;
  a->first = calloc((size_t)count, sizeof *a->first);
  a->weights = malloc((size_t)count * (size_t)a->taps * sizeof *a->weights);
  if (!a->first || !a->weights)
    return attn_image_fail(error, ATTN_OUT_OF_MEMORY, "no memory for resizing");
  if (filter == ATTN_RESAMPLE_NEAREST) {
    fill_nearest(a);
  } else {
    halide_dimension_t outputs = {a->begin + a->offset, count, 1, 0};
    halide_dimension_t table[2] = {{0, a->taps, 1, 0},
                                   {a->begin + a->offset, count, a->taps, 0}};
    halide_buffer_t first =
        attn_image_view(a->first, halide_type_int, 32, 1, &outputs);
    halide_buffer_t weights =
        attn_image_view(a->weights, halide_type_int, 32, 2, table);
    kernels->weights(filter, a->in_size, a->resized, a->taps, &first, &weights);
  }
  a->first_sample = a->first[0];
  a->last_sample = a->first[count - 1] + a->taps - 1;
  return ATTN_OK;
}

void attn_image_free_axis(attn_image_axis *a) {
  free(a->first);
  free(a->weights);
}
