/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One axis of a picture on its way through resizing and cropping. */

#ifndef ATTN_RUNTIME_IMAGE_AXIS_H
#define ATTN_RUNTIME_IMAGE_AXIS_H

#include "attn/image.h"
#include "runtime/image/Kernels.h"

/* Keeps the tables of a resampling below 100 MB and all offsets in 32 bits. */
#define ATTN_IMAGE_MAX_SIDE (1 << 20)

typedef struct attn_image_axis {
  int32_t in_size;    /* of the picture */
  int32_t resized;    /* after resizing */
  int32_t out_size;   /* after cropping */
  int32_t offset;     /* output i shows resized sample i + offset */
  int32_t begin, end; /* outputs that show the picture; others are padding */
  int32_t taps;       /* samples that one output reads at most */
  int32_t *first;     /* of each output in [begin, end): its first sample */
  int32_t *weights;   /* and taps weights */
  int32_t first_sample, last_sample; /* that the outputs read */
} attn_image_axis;

/* The sizes of both axes; the transform has been checked. */
attn_status attn_image_plan_axes(const attn_image_transform *transform,
                                 int32_t width, int32_t height,
                                 attn_image_axis *x, attn_image_axis *y,
                                 attn_error *error);

/* Fills the tables of an axis; attn_image_free_axis frees them, after an error
   too. */
attn_status attn_image_fill_axis(attn_image_axis *axis, int32_t filter,
                                 const attn_image_kernels *kernels,
                                 attn_error *error);
void attn_image_free_axis(attn_image_axis *axis);

#endif /* ATTN_RUNTIME_IMAGE_AXIS_H */
