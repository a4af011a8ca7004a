/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A compiled model as generated code would be, by hand:
   y[b, i] = table[ids[b, i]] * scale[b]. */

#ifndef ATTN_TEST_RUNTIME_FAKEMODEL_H
#define ATTN_TEST_RUNTIME_FAKEMODEL_H

#include "attn/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FAKE_VOCABULARY = 10, FAKE_WEIGHTS_BYTES = 64 };

/* dims: batch in [1, 1000], length in [0, 2^62]. Inputs: ids (i64, below
   FAKE_VOCABULARY) and scale (f32); output: y. Uses one buffer of y's size and
   64 bytes of scratch for each slot, all of which it writes. */
extern const attn_program fake_model;

/* The same without weights: y = scale. Its variants: "impossible", then "any".
 */
extern const attn_program fake_kernel;

#ifdef __cplusplus
}
#endif

#endif /* ATTN_TEST_RUNTIME_FAKEMODEL_H */
