// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The safetensors format, read and written.

#include "frontend/weights/Safetensors.h"

#include "frontend/weights/Json.h"
#include "frontend/weights/Message.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/EndianStream.h"

using namespace llvm;

namespace attn::weights {

// The bound of the reference implementation.
static constexpr uint64_t largestHeader = 100'000'000;
static constexpr size_t highestRank = 32;
static constexpr StringRef metadataKey = "__metadata__";

namespace {
/// What the header says about one tensor; offsets count from the data's begin.
struct HeaderEntry {
  StringRef name;
  DataType type;
  SmallVector<int64_t, 4> shape;
  uint64_t begin;
  uint64_t end;
};

/// Reads the entries of one header; every error names the file and the tensor.
class HeaderReader {
public:
  HeaderReader(StringRef file, uint64_t dataSize)
      : file(file), dataSize(dataSize) {}

  Expected<std::vector<HeaderEntry>> read(const json::Value &root) const;

private:
  Error checkMetadata(const json::Value &value) const;
  Expected<HeaderEntry> readEntry(StringRef name,
                                  const json::Value &value) const;
  Error readShape(const json::Object &object, HeaderEntry &entry) const;
  Error readOffsets(const json::Object &object, HeaderEntry &entry) const;
  Error checkCoverage(std::vector<HeaderEntry> &entries) const;

  StringRef file;
  uint64_t dataSize;
};
} // namespace

//===--- Reading ----------------------------------------------------------===//

Error HeaderReader::checkMetadata(const json::Value &value) const {
  const json::Object *object = value.getAsObject();
  if (!object || any_of(*object, [](const auto &entry) {
        return entry.second.kind() != json::Value::String;
      }))
    return fileError(file, "expects __metadata__ to map text to text");
  return Error::success();
}

Error HeaderReader::readShape(const json::Object &object,
                              HeaderEntry &entry) const {
  const json::Array *shape = object.getArray("shape");
  if (!shape)
    return tensorError(file, entry.name, "expects a 'shape' that is a list");
  if (shape->size() > highestRank)
    return tensorError(file, entry.name,
                       "expects at most " + Twine(highestRank) +
                           " dimensions, but got " + Twine(shape->size()));
  for (const json::Value &element : *shape) {
    auto size = element.getAsUINT64();
    if (!size || *size > uint64_t(std::numeric_limits<int64_t>::max()))
      return tensorError(file, entry.name,
                         "expects dimensions that are whole numbers from 0 to "
                         "2^63 - 1");
    entry.shape.push_back(*size);
  }
  return Error::success();
}

Error HeaderReader::readOffsets(const json::Object &object,
                                HeaderEntry &entry) const {
  const json::Array *offsets = object.getArray("data_offsets");
  if (!offsets || offsets->size() != 2 || !(*offsets)[0].getAsUINT64() ||
      !(*offsets)[1].getAsUINT64())
    return tensorError(file, entry.name,
                       "expects 'data_offsets' that are two whole numbers");
  entry.begin = *(*offsets)[0].getAsUINT64();
  entry.end = *(*offsets)[1].getAsUINT64();
  if (entry.begin > entry.end)
    return tensorError(file, entry.name,
                       "expects data that begins before it ends, but got [" +
                           Twine(entry.begin) + ", " + Twine(entry.end) + "]");
  if (entry.end > dataSize)
    return tensorError(file, entry.name,
                       "expects data up to byte " + Twine(entry.end) +
                           ", but the file has only " + Twine(dataSize) +
                           " bytes of data; is it complete?");
  return Error::success();
}

Expected<HeaderEntry> HeaderReader::readEntry(StringRef name,
                                              const json::Value &value) const {
  const json::Object *object = value.getAsObject();
  if (!object)
    return tensorError(file, name,
                       "expects an object with dtype, shape and data_offsets");
  for (const auto &field : *object)
    if (!is_contained({"dtype", "shape", "data_offsets"}, field.first.str()))
      return tensorError(
          file, name,
          "expects dtype, shape and data_offsets only, but got " +
              quoted(field.first));
  auto typeName = object->getString("dtype");
  if (!typeName)
    return tensorError(file, name, "expects a 'dtype' that is text");
  auto type = dataTypeNamed(*typeName);
  if (!type)
    return tensorError(file, name,
                       "expects dtype " + allDataTypes() + ", but got " +
                           quoted(*typeName));

  HeaderEntry entry{name, *type, {}, 0, 0};
  if (Error error = readShape(*object, entry))
    return std::move(error);
  if (Error error = readOffsets(*object, entry))
    return std::move(error);
  auto bytes = byteCount(entry.type, entry.shape);
  if (!bytes)
    return tensorError(file, name,
                       "expects a shape of less than 2^63 bytes, but got " +
                           shapeText(entry.shape));
  if (*bytes != entry.end - entry.begin)
    return tensorError(file, name,
                       "expects " + Twine(*bytes) + " bytes for " +
                           nameOf(entry.type) + " " + shapeText(entry.shape) +
                           ", but got " + Twine(entry.end - entry.begin));
  return entry;
}

// Sorts the entries by offset. Each byte of the data belongs to one tensor.
Error HeaderReader::checkCoverage(std::vector<HeaderEntry> &entries) const {
  llvm::sort(entries, [](const HeaderEntry &a, const HeaderEntry &b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t covered = 0;
  StringRef previous;
  for (const HeaderEntry &entry : entries) {
    if (entry.begin < covered)
      return tensorError(file, entry.name,
                         "expects data that begins at byte " + Twine(covered) +
                             " or later, but got byte " + Twine(entry.begin) +
                             ", inside tensor " + quoted(previous));
    if (entry.begin > covered)
      return tensorError(file, entry.name,
                         "expects data that begins at byte " + Twine(covered) +
                             ", but got byte " + Twine(entry.begin) +
                             ": the bytes between belong to no tensor");
    covered = entry.end;
    previous = entry.name;
  }
  if (covered != dataSize)
    return fileError(file, "expects " + Twine(covered) +
                               " bytes of data after the header, but got " +
                               Twine(dataSize));
  return Error::success();
}

Expected<std::vector<HeaderEntry>>
HeaderReader::read(const json::Value &root) const {
  const json::Object *object = root.getAsObject();
  if (!object)
    return fileError(file, "expects a header that is a JSON object");
  // Sorted, so that of several faults always the same one is reported.
  std::vector<const json::Object::value_type *> fields;
  for (const auto &field : *object)
    fields.push_back(&field);
  llvm::sort(fields, [](auto *a, auto *b) { return a->first < b->first; });

  std::vector<HeaderEntry> entries;
  for (const auto *field : fields) {
    if (field->first.str() == metadataKey) {
      if (Error error = checkMetadata(field->second))
        return std::move(error);
      continue;
    }
    auto entry = readEntry(field->first, field->second);
    if (!entry)
      return entry.takeError();
    entries.push_back(std::move(*entry));
  }
  if (Error error = checkCoverage(entries))
    return std::move(error);
  return entries;
}

// The header's text; the data begins where it ends.
static Expected<StringRef> headerText(ArrayRef<uint8_t> bytes, StringRef file) {
  constexpr uint64_t lengthBytes = 8;
  if (bytes.size() < lengthBytes)
    return fileError(file,
                     "expects the 8 bytes of a safetensors header length, but "
                     "the file has " +
                         Twine(bytes.size()));
  uint64_t length = support::endian::read64le(bytes.data());
  if (length > largestHeader)
    return fileError(file, "expects a safetensors header of at most " +
                               Twine(largestHeader) + " bytes, but got " +
                               Twine(length) + "; is it a safetensors file?");
  if (length > bytes.size() - lengthBytes)
    return fileError(file, "expects a safetensors header of " + Twine(length) +
                               " bytes, but the file has only " +
                               Twine(bytes.size() - lengthBytes) + " left");
  StringRef text(reinterpret_cast<const char *>(bytes.data()) + lengthBytes,
                 length);
  if (!text.starts_with("{"))
    return fileError(file, "expects a safetensors header that begins with '{'");
  return text;
}

static Expected<TensorTable>
readTable(ArrayRef<uint8_t> bytes, StringRef origin,
          const std::shared_ptr<const MappedFile> &file) {
  auto text = headerText(bytes, origin);
  if (!text)
    return text.takeError();
  auto header = parseJson(*text, (origin + ": header").str());
  if (!header)
    return header.takeError();
  ArrayRef<uint8_t> data(text->bytes_end(), bytes.end());
  auto entries = HeaderReader(origin, data.size()).read(header->root);
  if (!entries)
    return entries.takeError();

  TensorTable table(origin);
  for (HeaderEntry &entry : *entries)
    table.insert(entry.name,
                 {entry.type, std::move(entry.shape),
                  data.slice(entry.begin, entry.end - entry.begin), file},
                 file);
  return table;
}

Expected<TensorTable> openSafetensors(StringRef path) {
  auto file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  return readTable((*file)->bytes(), path, *file);
}

Expected<TensorTable> parseSafetensors(ArrayRef<uint8_t> bytes,
                                       StringRef origin) {
  return readTable(bytes, origin, nullptr);
}

//===--- Writing ----------------------------------------------------------===//

static Error checkForWriting(StringRef path, ArrayRef<NamedTensor> tensors) {
  StringSet<> names;
  for (const auto &[name, tensor] : tensors) {
    if (name == metadataKey || !json::isUTF8(name))
      return tensorError(path, name,
                         "expects a name in UTF-8 other than __metadata__");
    if (!names.insert(name).second)
      return tensorError(path, name, "is given twice");
    if (byteCount(tensor.type, tensor.shape) != tensor.bytes.size())
      return tensorError(path, name,
                         "expects as many bytes as " + nameOf(tensor.type) +
                             " " + shapeText(tensor.shape) + " has, but got " +
                             Twine(tensor.bytes.size()));
  }
  return Error::success();
}

static std::string makeHeader(ArrayRef<const NamedTensor *> order) {
  std::string header;
  raw_string_ostream stream(header);
  json::OStream json(stream);
  uint64_t offset = 0;
  json.object([&] {
    for (const NamedTensor *item : order) {
      uint64_t end = offset + item->tensor.bytes.size();
      json.attributeObject(item->name, [&] {
        json.attribute("dtype", nameOf(item->tensor.type));
        json.attribute("shape", json::Array(item->tensor.shape));
        json.attribute("data_offsets", json::Array{offset, end});
      });
      offset = end;
    }
  });
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

Error writeSafetensors(StringRef path, ArrayRef<NamedTensor> tensors) {
  if (Error error = checkForWriting(path, tensors))
    return error;
  std::vector<const NamedTensor *> order;
  for (const NamedTensor &item : tensors)
    order.push_back(&item);
  llvm::sort(order, [](const NamedTensor *a, const NamedTensor *b) {
    uint64_t sizeA = bytesPerElement(a->tensor.type);
    uint64_t sizeB = bytesPerElement(b->tensor.type);
    return sizeA != sizeB ? sizeA > sizeB : a->name < b->name;
  });

  std::string header = makeHeader(order);
  return writeFileAtomically(path, [&](raw_ostream &stream) {
    support::endian::write<uint64_t>(stream, header.size(), endianness::little);
    stream << header;
    for (const NamedTensor *item : order)
      stream.write(reinterpret_cast<const char *>(item->tensor.bytes.data()),
                   item->tensor.bytes.size());
  });
}

} // namespace attn::weights
