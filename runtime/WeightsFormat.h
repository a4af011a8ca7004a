/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The weights file as bytes; docs/weights-file.md describes it. Shared by the
   reader (C) and the writer (C++), so that the format has one home. */

#ifndef ATTN_RUNTIME_WEIGHTSFORMAT_H
#define ATTN_RUNTIME_WEIGHTSFORMAT_H

#include <stdint.h>

/* As in PNG: a byte that is not ASCII and line ends that text transfers damage.
 */
#define ATTN_WEIGHTS_MAGIC                                                     \
  "\x89"                                                                       \
  "ATNW\r\n\x1a"
#define ATTN_WEIGHTS_VERSION 1

/* The data begins at a multiple of this, so that it can be mapped alone. */
#define ATTN_WEIGHTS_PAGE 4096

/* Every entry begins at a multiple of this. */
#define ATTN_WEIGHTS_ALIGNMENT 64

/* No table of entries is larger; a bound for readers of damaged files. */
#define ATTN_WEIGHTS_MAX_TABLE (64u << 20)

/* The first bytes of the file, little-endian. The table of entries follows at
   once; zeros fill the gap from the table to the data. */
typedef struct attn_weights_header {
  unsigned char magic[8];
  uint32_t version;
  uint32_t abi; /* ATTN_ABI_VERSION of the build */
  unsigned char build_id[16];
  uint64_t file_bytes;
  uint64_t data_offset;
  uint64_t data_bytes;
  uint64_t table_bytes;
  uint32_t entry_count;
  /* CRC-32 (ISO-HDLC, as zlib's) of header and table, this field taken as 0. */
  uint32_t header_crc;
} attn_weights_header;

/* One entry of the table. It is followed by its shape (int64_t for each
   dimension), its name and its layout, then zeros up to a multiple of 8. */
typedef struct attn_weights_entry {
  uint64_t offset; /* from the beginning of the data */
  uint64_t bytes;
  uint32_t crc;   /* CRC-32 of the bytes */
  uint32_t dtype; /* attn_dtype */
  uint32_t rank;
  uint32_t name_bytes;
  uint32_t layout_bytes;
  uint32_t reserved; /* 0 */
} attn_weights_entry;

#if defined(__cplusplus)
static_assert(sizeof(attn_weights_header) == 72 &&
                  sizeof(attn_weights_entry) == 40,
              "the structures are the file's bytes");
#else
_Static_assert(sizeof(attn_weights_header) == 72 &&
                   sizeof(attn_weights_entry) == 40,
               "the structures are the file's bytes");
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weights files are little-endian"
#endif

#endif /* ATTN_RUNTIME_WEIGHTSFORMAT_H */
