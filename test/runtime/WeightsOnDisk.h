// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights files made by hand, so that each of their fields can be wrong.

#ifndef ATTN_TEST_RUNTIME_WEIGHTSONDISK_H
#define ATTN_TEST_RUNTIME_WEIGHTSONDISK_H

#include "runtime/Internal.h"
#include "runtime/WeightsFormat.h"
#include "test/runtime/FakeModel.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace attn::test {

/// A file that goes away with the test.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::string &bytes) {
    char pattern[] = "/tmp/attn-runtime-XXXXXX";
    int file = mkstemp(pattern);
    EXPECT_GE(file, 0);
    close(file);
    name = pattern;
    std::ofstream(name, std::ios::binary) << bytes;
  }
  ~TemporaryFile() { unlink(name.c_str()); }
  TemporaryFile(const TemporaryFile &) = delete;

  const char *path() const { return name.c_str(); }

private:
  std::string name;
};

/// Makes the checksum right again.
inline void seal(std::string &file) {
  attn_weights_header header;
  std::memcpy(&header, file.data(), sizeof(header));
  header.header_crc = 0;
  uint32_t crc = attn_crc32(0, &header, sizeof(header));
  header.header_crc =
      attn_crc32(crc, file.data() + sizeof(header), header.table_bytes);
  std::memcpy(file.data(), &header, sizeof(header));
}

/// The weights file of fake_model: table[i] = i, but the last, which is
/// denormal. The table of entries is left out: opening does not need one.
inline std::string fakeWeights() {
  attn_weights_header header = {};
  std::memcpy(header.magic, ATTN_WEIGHTS_MAGIC, sizeof(header.magic));
  header.version = ATTN_WEIGHTS_VERSION;
  header.abi = ATTN_ABI_VERSION;
  std::memcpy(header.build_id, fake_model.build_id, sizeof(header.build_id));
  header.data_offset = ATTN_WEIGHTS_PAGE;
  header.data_bytes = FAKE_WEIGHTS_BYTES;
  header.file_bytes = header.data_offset + header.data_bytes;
  float table[FAKE_WEIGHTS_BYTES / sizeof(float)] = {0, 1, 2, 3, 4,
                                                     5, 6, 7, 8, 1e-40f};
  std::string file(header.file_bytes, '\0');
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + header.data_offset, table, sizeof(table));
  seal(file);
  return file;
}

/// fake_model, opened.
class OpenedModel {
public:
  OpenedModel() : file(fakeWeights()) {
    attn_error error = {};
    EXPECT_EQ(fake_model.functions->open(&fake_model, file.path(), nullptr,
                                         &model, &error),
              ATTN_OK)
        << error.message;
  }
  ~OpenedModel() { fake_model.functions->close(model); }
  operator const attn_model *() const { return model; }

private:
  TemporaryFile file;
  attn_model *model = nullptr;
};

} // namespace attn::test

#endif // ATTN_TEST_RUNTIME_WEIGHTSONDISK_H
