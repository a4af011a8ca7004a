/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A compiled encoder-decoder as generated code would be, by hand. Its pages
   hold ids, and the likeliest next token is the last digit of the sum of all
   tokens of the sequence and of the source. */

#ifndef ATTN_TEST_RUNTIME_FAKESTEP_H
#define ATTN_TEST_RUNTIME_FAKESTEP_H

#include "attn/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  FAKE_PAGE_TOKENS = 4,
  FAKE_PAGE_FLOATS = 16,
  FAKE_POSITIONS = 30,
  FAKE_WINDOW = 6,
  FAKE_DIGITS = 10
};

/* dims: tokens, sequences, blocks, page_count, memory_blocks.
   Inputs: tokens, counts, past, pages, memory_pages, memory_lengths, cache.
   Output: logits [1, sequences, 10]: 1 for the likeliest, and for the others
   how near they are to it, in tenths. Part 0, encode: dims sequence,
   memory_blocks, page_count; inputs source [1, sequence], memory_pages,
   cache. */
extern const attn_program fake_step;

/* The same without encoder: dims up to page_count, inputs without memory. */
extern const attn_program fake_decoder;

/* As fake_decoder, but with the sum of the last FAKE_WINDOW tokens, and any
   number of them. */
extern const attn_program fake_windowed;

#ifdef __cplusplus
}
#endif

#endif /* ATTN_TEST_RUNTIME_FAKESTEP_H */
