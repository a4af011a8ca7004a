// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes and reads the weights file of a compiled model. Its bytes are
// described in docs/weights-file.md and runtime/WeightsFormat.h.

#ifndef ATTN_CODEGEN_PACKAGE_WEIGHTSFILE_H
#define ATTN_CODEGEN_PACKAGE_WEIGHTSFILE_H

#include "attn/abi.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <array>
#include <memory>
#include <string>
#include <vector>

namespace attn::package {

/// Names one compilation; its code and its weights file carry the same.
using BuildId = std::array<uint8_t, 16>;

/// One tensor of the file.
struct WeightsEntry {
  std::string name;
  /// How the values are stored: "row-major", or the text of a layout
  /// attribute such as "panels<16>".
  std::string layout;
  attn_dtype dtype = ATTN_F32;
  /// The logical shape; a layout may store more elements than it has.
  std::vector<int64_t> shape;
  /// Stored bytes.
  uint64_t bytes = 0;
  /// From the beginning of the data; given by assignOffsets.
  uint64_t offset = 0;
  /// CRC-32 of the stored bytes; known after writing and reading.
  uint32_t crc = 0;
};

/// Gives each entry the next aligned offset and returns the bytes of data.
/// Code that is generated before the file is written relies on these.
llvm::Expected<uint64_t>
assignOffsets(llvm::MutableArrayRef<WeightsEntry> entries);

/// Writes a file entry by entry, holding no more than what append is given.
/// The file appears under its name when finish succeeds, and not at all
/// otherwise. Equal input gives equal bytes.
class WeightsFileWriter {
public:
  /// `entries` have offsets from assignOffsets.
  static llvm::Expected<std::unique_ptr<WeightsFileWriter>>
  create(llvm::StringRef path, const BuildId &buildId,
         std::vector<WeightsEntry> entries);
  ~WeightsFileWriter();

  /// The next bytes of the data, in the order of the entries, in pieces of any
  /// size that do not cross from one entry into the next.
  llvm::Error append(llvm::ArrayRef<char> bytes);

  /// Completes table and header and gives the file its name. An entry that is
  /// not whole is an error.
  llvm::Error finish();

private:
  struct Output;
  WeightsFileWriter(std::string path, const BuildId &buildId,
                    std::vector<WeightsEntry> entries);
  llvm::Error startData();
  /// Skips entries that are whole, with the padding after them.
  void advance();

  std::string path;
  BuildId buildId;
  std::vector<WeightsEntry> entries;
  uint64_t dataOffset = 0;
  uint64_t position = 0; // in the data
  size_t current = 0;    // entry
  std::unique_ptr<Output> output;
};

/// A weights file as read: everything but the weights themselves is checked.
class WeightsFile {
public:
  /// Maps and parses the file at `path`.
  static llvm::Expected<WeightsFile> open(llvm::StringRef path);
  /// Parses a file in memory; `buffer` outlives the result.
  static llvm::Expected<WeightsFile> parse(llvm::MemoryBufferRef buffer);

  uint32_t abi() const { return abiVersion; }
  const BuildId &buildId() const { return id; }
  llvm::ArrayRef<WeightsEntry> entries() const { return table; }
  /// All data; an entry is data().substr(offset, bytes).
  llvm::StringRef data() const { return bytes; }

  /// Reads all weights and compares their checksums.
  llvm::Error check() const;

private:
  std::unique_ptr<llvm::MemoryBuffer> owned;
  std::string name;
  uint32_t abiVersion = 0;
  BuildId id{};
  std::vector<WeightsEntry> table;
  llvm::StringRef bytes;
};

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_WEIGHTSFILE_H
