// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writing of weights files.

#include "codegen/package/WeightsFile.h"
#include "runtime/WeightsFormat.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace llvm;

namespace attn::package {

static Error fail(StringRef path, const Twine &message) {
  return createStringError(inconvertibleErrorCode(), path + ": " + message);
}

Expected<uint64_t> assignOffsets(MutableArrayRef<WeightsEntry> entries) {
  uint64_t end = 0;
  for (WeightsEntry &entry : entries) {
    entry.offset = end;
    auto next = checkedAddUnsigned<uint64_t>(entry.offset, entry.bytes);
    if (!next || *next > INT64_MAX - ATTN_WEIGHTS_PAGE)
      return createStringError(inconvertibleErrorCode(),
                               "parameter '%s': weights exceed 2^63 bytes",
                               entry.name.c_str());
    end = alignTo(*next, ATTN_WEIGHTS_ALIGNMENT);
  }
  return end;
}

//===----------------------------------------------------------------------===//
// Table and header
//===----------------------------------------------------------------------===//

template <typename T>
static void appendBytes(std::string &out, const T &value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof(T));
}

static void appendEntry(std::string &table, const WeightsEntry &entry) {
  attn_weights_entry record = {};
  record.offset = entry.offset;
  record.bytes = entry.bytes;
  record.crc = entry.crc;
  record.dtype = entry.dtype;
  record.rank = entry.shape.size();
  record.name_bytes = entry.name.size();
  record.layout_bytes = entry.layout.size();
  appendBytes(table, record);
  for (int64_t size : entry.shape)
    appendBytes(table, size);
  table += entry.name;
  table += entry.layout;
  table.resize(alignTo(table.size(), 8), '\0');
}

static std::string makeTable(ArrayRef<WeightsEntry> entries) {
  std::string table;
  for (const WeightsEntry &entry : entries)
    appendEntry(table, entry);
  return table;
}

static uint32_t crcOf(StringRef bytes, uint32_t crc = 0) {
  return crc32(crc, arrayRefFromStringRef(bytes));
}

static std::string makeHeader(const BuildId &buildId,
                              ArrayRef<WeightsEntry> entries, StringRef table,
                              uint64_t dataOffset, uint64_t dataBytes) {
  attn_weights_header header = {};
  std::memcpy(header.magic, ATTN_WEIGHTS_MAGIC, sizeof(header.magic));
  header.version = ATTN_WEIGHTS_VERSION;
  header.abi = ATTN_ABI_VERSION;
  std::memcpy(header.build_id, buildId.data(), buildId.size());
  header.file_bytes = dataOffset + dataBytes;
  header.data_offset = dataOffset;
  header.data_bytes = dataBytes;
  header.table_bytes = table.size();
  header.entry_count = entries.size();
  std::string bytes;
  appendBytes(bytes, header);
  header.header_crc = crcOf(table, crcOf(bytes));
  bytes.clear();
  appendBytes(bytes, header);
  return bytes;
}

//===----------------------------------------------------------------------===//
// WeightsFileWriter
//===----------------------------------------------------------------------===//

/// What is written at once, at multiples of it: where the system caches files
/// in huge pages, it then takes one for each.
static constexpr size_t kPieceBytes = size_t(2) << 20;

/// The temporary file beside the final one.
struct WeightsFileWriter::Output {
  explicit Output(sys::fs::TempFile file)
      : file(std::move(file)), stream(this->file.FD, /*shouldClose=*/false) {
    stream.SetBufferSize(kPieceBytes);
  }
  ~Output() {
    stream.flush();
    stream.clear_error();
    if (!done)
      consumeError(file.discard());
  }

  Error error(StringRef path) {
    stream.flush();
    std::error_code code = stream.error();
    stream.clear_error();
    return code ? fail(path, "cannot write: " + code.message())
                : Error::success();
  }

  sys::fs::TempFile file;
  raw_fd_ostream stream;
  bool done = false;
};

WeightsFileWriter::WeightsFileWriter(std::string path, const BuildId &buildId,
                                     std::vector<WeightsEntry> entries)
    : path(std::move(path)), buildId(buildId), entries(std::move(entries)) {}

WeightsFileWriter::~WeightsFileWriter() = default;

Expected<std::unique_ptr<WeightsFileWriter>>
WeightsFileWriter::create(StringRef path, const BuildId &buildId,
                          std::vector<WeightsEntry> entries) {
  std::unique_ptr<WeightsFileWriter> writer(
      new WeightsFileWriter(path.str(), buildId, std::move(entries)));
  if (Error error = writer->startData())
    return std::move(error);
  return std::move(writer);
}

Error WeightsFileWriter::startData() {
  uint64_t tableBytes = makeTable(entries).size();
  if (tableBytes > ATTN_WEIGHTS_MAX_TABLE)
    return fail(path, formatv("expects a table of at most {0} bytes, but got "
                              "{1}; names or entries are too many",
                              ATTN_WEIGHTS_MAX_TABLE, tableBytes));
  dataOffset =
      alignTo(sizeof(attn_weights_header) + tableBytes, ATTN_WEIGHTS_PAGE);
  auto file = sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!file)
    return fail(path, "cannot create: " + toString(file.takeError()));
  output = std::make_unique<Output>(std::move(*file));
  output->stream.write_zeros(dataOffset);
  advance();
  return Error::success();
}

void WeightsFileWriter::advance() {
  while (current < entries.size()) {
    const WeightsEntry &entry = entries[current];
    if (position < entry.offset + entry.bytes)
      return;
    ++current;
    uint64_t next = alignTo(position, ATTN_WEIGHTS_ALIGNMENT);
    output->stream.write_zeros(next - position);
    position = next;
  }
}

Error WeightsFileWriter::append(ArrayRef<char> bytes) {
  if (bytes.empty())
    return Error::success();
  if (current == entries.size())
    return fail(path, formatv("all entries are whole, but got {0} more bytes",
                              bytes.size()));
  WeightsEntry &entry = entries[current];
  uint64_t missing = entry.offset + entry.bytes - position;
  if (bytes.size() > missing)
    return fail(path, formatv("entry '{0}': expects {1} more bytes, but got "
                              "{2}",
                              entry.name, missing, bytes.size()));
  entry.crc = crcOf(StringRef(bytes.data(), bytes.size()), entry.crc);
  output->stream.write(bytes.data(), bytes.size());
  position += bytes.size();
  advance();
  return output->stream.has_error() ? output->error(path) : Error::success();
}

Error WeightsFileWriter::finish() {
  if (current < entries.size()) {
    const WeightsEntry &entry = entries[current];
    return fail(path,
                formatv("entry '{0}': {1} of {2} bytes are missing", entry.name,
                        entry.offset + entry.bytes - position, entry.bytes));
  }
  std::string table = makeTable(entries);
  output->stream.seek(0);
  output->stream << makeHeader(buildId, entries, table, dataOffset, position)
                 << table;
  if (Error error = output->error(path))
    return error;
  output->done = true;
  if (Error error = output->file.keep(path))
    return fail(path, "cannot rename: " + toString(std::move(error)));
  return Error::success();
}

} // namespace attn::package
