// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Any bytes are a weights file that is refused, or one whose entries can all be
// read. The compiler's reader and the runtime's agree on which: what the first
// accepts, the second opens.

#include "codegen/package/WeightsFile.h"
#include "runtime/Internal.h"
#include "runtime/WeightsFormat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CRC.h"
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace attn::package;
using namespace llvm;

/// The file in memory, under the path by which the runtime opens it.
static attn_status mapWith(const attn_program &program, StringRef bytes) {
  static const int file = memfd_create("weights", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 0) ||
      pwrite(file, bytes.data(), bytes.size(), 0) != ssize_t(bytes.size()))
    std::abort();
  std::string path = "/proc/self/fd/" + std::to_string(file);
  attn_mapping mapping = {};
  attn_error error = {};
  attn_status status =
      attn_map_weights(&program, path.c_str(), &mapping, &error);
  bool consistent = status == ATTN_OK
                        ? mapping.data + program.weights_bytes ==
                              static_cast<char *>(mapping.base) + bytes.size()
                        : !mapping.base && error.status == status &&
                              StringRef(error.message).starts_with(path + ": ");
  if (!consistent)
    std::abort();
  attn_unmap_weights(&mapping);
  return status;
}

static void readBoth(StringRef bytes) {
  attn_program program = {};
  program.abi = ATTN_ABI_VERSION;
  program.name = "fuzz";
  Expected<WeightsFile> file = WeightsFile::parse({bytes, "fuzz"});
  if (!file) {
    if (!StringRef(toString(file.takeError())).starts_with("fuzz: "))
      std::abort(); // Every message names the file.
    mapWith(program, bytes);
    return;
  }
  consumeError(file->check());
  program.abi = file->abi();
  program.weights_bytes = file->data().size();
  std::memcpy(program.build_id, file->buildId().data(), file->buildId().size());
  if (mapWith(program, bytes) != ATTN_OK)
    std::abort();
  program.build_id[0] ^= 1;
  if (mapWith(program, bytes) != ATTN_MISMATCH)
    std::abort();
}

/// Magic, sizes and checksum made right, so that the table is reached.
static void seal(std::string &bytes) {
  attn_weights_header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  std::memcpy(header.magic, ATTN_WEIGHTS_MAGIC, sizeof(header.magic));
  header.version = ATTN_WEIGHTS_VERSION;
  header.file_bytes = bytes.size();
  header.data_offset = ATTN_WEIGHTS_PAGE;
  header.data_bytes = bytes.size() - ATTN_WEIGHTS_PAGE;
  header.table_bytes %= ATTN_WEIGHTS_PAGE - sizeof(header) + 1;
  header.header_crc = 0;
  std::memcpy(bytes.data(), &header, sizeof(header));
  header.header_crc = crc32(arrayRefFromStringRef(
      StringRef(bytes).take_front(sizeof(header) + header.table_bytes)));
  std::memcpy(bytes.data(), &header, sizeof(header));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  readBoth(bytes);
  if (size < ATTN_WEIGHTS_PAGE)
    return 0;
  seal(bytes);
  readBoth(bytes);
  return 0;
}
