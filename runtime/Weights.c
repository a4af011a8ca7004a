/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Maps a weights file and checks everything but the weights themselves. */

#define _DEFAULT_SOURCE /* madvise */
#define _POSIX_C_SOURCE 200809L

#include "runtime/Internal.h"
#include "runtime/WeightsFormat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bit by bit: the header is small, and a table would cost a page. */
ATTN_WEAK uint32_t attn_crc32(uint32_t crc, const void *bytes, size_t count) {
  const unsigned char *byte = bytes;
  crc = ~crc;
  for (size_t i = 0; i < count; ++i) {
    crc ^= byte[i];
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ (UINT32_C(0xedb88320) & (0u - (crc & 1u)));
  }
  return ~crc;
}

static attn_status map_file(const char *path, attn_mapping *mapping,
                            attn_error *error) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return attn_fail(error, ATTN_IO_ERROR, "%s: cannot open: %s", path,
                     strerror(errno));
  struct stat info;
  attn_status status = ATTN_OK;
  if (fstat(file, &info) != 0)
    status = attn_fail(error, ATTN_IO_ERROR, "%s: cannot stat: %s", path,
                       strerror(errno));
  else if (!S_ISREG(info.st_mode))
    status = attn_fail(error, ATTN_IO_ERROR, "%s: is not a regular file", path);
  else if ((uint64_t)info.st_size < sizeof(attn_weights_header))
    status = attn_fail(error, ATTN_BAD_FILE,
                       "%s: is not a weights file: %lld bytes are too short",
                       path, (long long)info.st_size);
  if (status == ATTN_OK) {
    mapping->bytes = (size_t)info.st_size;
    mapping->base = mmap(NULL, mapping->bytes, PROT_READ, MAP_SHARED, file, 0);
    if (mapping->base == MAP_FAILED) {
      mapping->base = NULL;
      status = attn_fail(error, ATTN_IO_ERROR, "%s: cannot map %zu bytes: %s",
                         path, mapping->bytes, strerror(errno));
    }
  }
#ifdef MADV_HUGEPAGE
  /* All weights are read again and again, so that small pages cost up to half
     of the memory bandwidth. A wish: systems that cannot grant it refuse. */
  if (status == ATTN_OK)
    (void)madvise(mapping->base, mapping->bytes, MADV_HUGEPAGE);
#endif
  close(file);
  return status;
}

/* The header's own sizes agree with each other and with the file's. */
static attn_status check_sizes(const attn_weights_header *header,
                               const char *path, size_t bytes,
                               attn_error *error) {
  if (header->file_bytes != bytes)
    return attn_fail(error, ATTN_BAD_FILE,
                     "%s: expects %llu bytes, but the file has %zu", path,
                     (unsigned long long)header->file_bytes, bytes);
  if (header->table_bytes > ATTN_WEIGHTS_MAX_TABLE ||
      header->data_offset % ATTN_WEIGHTS_PAGE != 0 ||
      header->data_offset < sizeof(*header) + header->table_bytes ||
      header->data_offset > bytes ||
      header->data_bytes != bytes - header->data_offset)
    return attn_fail(error, ATTN_BAD_FILE,
                     "%s: the header's sizes contradict each other", path);
  return ATTN_OK;
}

static attn_status check_checksum(const attn_weights_header *header,
                                  const char *path, attn_error *error) {
  attn_weights_header copy = *header;
  copy.header_crc = 0;
  uint32_t crc = attn_crc32(0, &copy, sizeof(copy));
  crc = attn_crc32(crc, header + 1, (size_t)header->table_bytes);
  if (crc != header->header_crc)
    return attn_fail(error, ATTN_BAD_FILE,
                     "%s: header is damaged: checksum is %08x, but %08x is "
                     "recorded",
                     path, (unsigned)crc, (unsigned)header->header_crc);
  return ATTN_OK;
}

static attn_status check_build(const attn_weights_header *header,
                               const attn_program *program, const char *path,
                               attn_error *error) {
  if (header->abi != program->abi)
    return attn_fail(error, ATTN_MISMATCH,
                     "%s: expects weights of ABI %u, but the file has %u", path,
                     (unsigned)program->abi, (unsigned)header->abi);
  if (memcmp(header->build_id, program->build_id, sizeof(header->build_id)) !=
      0)
    return attn_fail(error, ATTN_MISMATCH,
                     "%s: belongs to another build than the code of '%s'; use "
                     "the files of one compilation together",
                     path, program->name);
  if (header->data_bytes != program->weights_bytes)
    return attn_fail(error, ATTN_MISMATCH,
                     "%s: expects %llu bytes of weights, but the file has %llu",
                     path, (unsigned long long)program->weights_bytes,
                     (unsigned long long)header->data_bytes);
  return ATTN_OK;
}

static attn_status check_header(const attn_program *program, const char *path,
                                const attn_mapping *mapping,
                                attn_error *error) {
  const attn_weights_header *header = mapping->base;
  if (memcmp(header->magic, ATTN_WEIGHTS_MAGIC, sizeof(header->magic)) != 0)
    return attn_fail(error, ATTN_BAD_FILE,
                     "%s: is not a weights file: magic number is missing",
                     path);
  if (header->version != ATTN_WEIGHTS_VERSION)
    return attn_fail(error, ATTN_BAD_FILE,
                     "%s: expects format version %d, but the file has %u", path,
                     ATTN_WEIGHTS_VERSION, (unsigned)header->version);
  attn_status status = check_sizes(header, path, mapping->bytes, error);
  if (status == ATTN_OK)
    status = check_checksum(header, path, error);
  if (status == ATTN_OK)
    status = check_build(header, program, path, error);
  return status;
}

ATTN_WEAK attn_status attn_map_weights(const attn_program *program,
                                       const char *path, attn_mapping *mapping,
                                       attn_error *error) {
  attn_status status = map_file(path, mapping, error);
  if (status != ATTN_OK)
    return status;
  status = check_header(program, path, mapping, error);
  if (status != ATTN_OK) {
    attn_unmap_weights(mapping);
    return status;
  }
  const attn_weights_header *header = mapping->base;
  mapping->data = (const char *)mapping->base + header->data_offset;
  return ATTN_OK;
}

ATTN_WEAK void attn_unmap_weights(attn_mapping *mapping) {
  if (mapping->base)
    munmap(mapping->base, mapping->bytes);
  *mapping = (attn_mapping){0};
}
