// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reading of weights files; any bytes may come, none may crash it.

#include "codegen/package/WeightsFile.h"
#include "runtime/WeightsFormat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>

using namespace llvm;

namespace attn::package {

namespace {

/// A cursor over the table of entries that refuses to leave it.
class TableReader {
public:
  TableReader(StringRef file, StringRef table) : file(file), rest(table) {}

  Error read(WeightsEntry &entry, uint64_t previousEnd, uint64_t dataBytes);
  bool atEnd() const { return rest.empty(); }

private:
  Error fail(const Twine &message) const {
    return createStringError(inconvertibleErrorCode(),
                             file + ": entry " + Twine(index) + ": " + message);
  }
  Error checkPlace(const WeightsEntry &entry, uint64_t previousEnd,
                   uint64_t dataBytes) const;
  StringRef take(size_t count) {
    StringRef taken = rest.take_front(count);
    rest = rest.drop_front(count);
    return taken;
  }

  StringRef file, rest;
  size_t index = 0;
};

} // namespace

Error TableReader::read(WeightsEntry &entry, uint64_t previousEnd,
                        uint64_t dataBytes) {
  attn_weights_entry record;
  if (rest.size() < sizeof(record))
    return fail("table ends early");
  std::memcpy(&record, take(sizeof(record)).data(), sizeof(record));
  uint64_t tail = alignTo(uint64_t(record.rank) * sizeof(int64_t) +
                              record.name_bytes + record.layout_bytes,
                          8);
  if (tail > rest.size())
    return fail("table ends early");
  if (record.dtype != ATTN_F32 && record.dtype != ATTN_I64)
    return fail("unknown element type " + Twine(record.dtype));
  if (record.reserved != 0)
    return fail("expects the reserved field to be 0, but got " +
                Twine(record.reserved));
  StringRef text = take(tail);
  entry.dtype = static_cast<attn_dtype>(record.dtype);
  entry.shape.resize(record.rank);
  if (record.rank)
    std::memcpy(entry.shape.data(), text.data(), record.rank * sizeof(int64_t));
  text = text.drop_front(record.rank * sizeof(int64_t));
  entry.name = text.take_front(record.name_bytes).str();
  entry.layout =
      text.drop_front(record.name_bytes).take_front(record.layout_bytes).str();
  entry.offset = record.offset;
  entry.bytes = record.bytes;
  entry.crc = record.crc;
  if (Error error = checkPlace(entry, previousEnd, dataBytes))
    return error;
  ++index;
  return Error::success();
}

Error TableReader::checkPlace(const WeightsEntry &entry, uint64_t previousEnd,
                              uint64_t dataBytes) const {
  for (int64_t size : entry.shape)
    if (size < 0)
      return fail("expects sizes of at least 0, but got " + Twine(size));
  if (entry.offset % ATTN_WEIGHTS_ALIGNMENT)
    return fail(formatv("expects an offset that is a multiple of {0}, but got "
                        "{1}",
                        ATTN_WEIGHTS_ALIGNMENT, entry.offset));
  if (entry.offset < previousEnd)
    return fail("overlaps the entry before it");
  if (entry.offset > dataBytes || entry.bytes > dataBytes - entry.offset)
    return fail(formatv("bytes {0} to {0} + {1} lie outside the data of {2} "
                        "bytes",
                        entry.offset, entry.bytes, dataBytes));
  return Error::success();
}

/// The header, once its sizes are known to fit the buffer.
static Expected<attn_weights_header> readHeader(MemoryBufferRef buffer) {
  auto fail = [&](const Twine &message) {
    return createStringError(inconvertibleErrorCode(),
                             buffer.getBufferIdentifier() + ": " + message);
  };
  StringRef bytes = buffer.getBuffer();
  attn_weights_header header;
  if (bytes.size() < sizeof(header))
    return fail(formatv("is not a weights file: {0} bytes are too short",
                        bytes.size()));
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, ATTN_WEIGHTS_MAGIC, sizeof(header.magic)) != 0)
    return fail("is not a weights file: magic number is missing");
  if (header.version != ATTN_WEIGHTS_VERSION)
    return fail(formatv("expects format version {0}, but the file has {1}",
                        ATTN_WEIGHTS_VERSION, header.version));
  if (header.file_bytes != bytes.size())
    return fail(formatv("expects {0} bytes, but the file has {1}",
                        header.file_bytes, bytes.size()));
  if (header.table_bytes > ATTN_WEIGHTS_MAX_TABLE ||
      header.data_offset % ATTN_WEIGHTS_PAGE != 0 ||
      header.data_offset < sizeof(header) + header.table_bytes ||
      header.data_offset > bytes.size() ||
      header.data_bytes != bytes.size() - header.data_offset)
    return fail("the header's sizes contradict each other");
  attn_weights_header unsealed = header;
  unsealed.header_crc = 0;
  uint32_t crc = crc32(ArrayRef<uint8_t>(
      reinterpret_cast<const uint8_t *>(&unsealed), sizeof(unsealed)));
  crc = crc32(crc, arrayRefFromStringRef(
                       bytes.substr(sizeof(header), header.table_bytes)));
  if (crc != header.header_crc)
    return fail(formatv("header is damaged: checksum is {0:x-8}, but {1:x-8} "
                        "is recorded",
                        crc, header.header_crc));
  return header;
}

Expected<WeightsFile> WeightsFile::parse(MemoryBufferRef buffer) {
  Expected<attn_weights_header> header = readHeader(buffer);
  if (!header)
    return header.takeError();
  WeightsFile file;
  file.name = buffer.getBufferIdentifier().str();
  file.abiVersion = header->abi;
  std::memcpy(file.id.data(), header->build_id, file.id.size());
  file.bytes = buffer.getBuffer().substr(header->data_offset);

  TableReader reader(file.name, buffer.getBuffer().substr(sizeof(*header),
                                                          header->table_bytes));
  uint64_t end = 0;
  for (uint32_t i = 0; i < header->entry_count; ++i) {
    WeightsEntry entry;
    if (Error error = reader.read(entry, end, header->data_bytes))
      return std::move(error);
    end = entry.offset + entry.bytes;
    file.table.push_back(std::move(entry));
  }
  if (!reader.atEnd())
    return createStringError(inconvertibleErrorCode(),
                             "%s: the table is longer than its %u entries",
                             file.name.c_str(), header->entry_count);
  return std::move(file);
}

Expected<WeightsFile> WeightsFile::open(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(), "%s: cannot open: %s",
                             path.str().c_str(),
                             buffer.getError().message().c_str());
  Expected<WeightsFile> file = parse(**buffer);
  if (file)
    file->owned = std::move(*buffer);
  return file;
}

Error WeightsFile::check() const {
  for (const WeightsEntry &entry : table) {
    StringRef stored = bytes.substr(entry.offset, entry.bytes);
    uint32_t crc = crc32(arrayRefFromStringRef(stored));
    if (crc != entry.crc)
      return createStringError(
          inconvertibleErrorCode(),
          "%s: entry '%s' is damaged: checksum is %08x, but %08x is recorded",
          name.c_str(), entry.name.c_str(), crc, entry.crc);
  }
  return Error::success();
}

} // namespace attn::package
