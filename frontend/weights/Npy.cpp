// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One tensor in NumPy's .npy format.

#include "frontend/weights/Npy.h"

#include "frontend/weights/Message.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/EndianStream.h"

using namespace llvm;

namespace attn::weights {

static constexpr StringLiteral magic = "\x93NUMPY";
static constexpr size_t highestRank = 64; // NumPy's own bound.

namespace {
struct Descriptor {
  StringRef text; ///< Kind and bytes; NumPy puts the byte order before it.
  DataType type;
};

/// Reads the header, a Python dictionary of three known keys such as
/// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class DictionaryReader {
public:
  DictionaryReader(StringRef text, StringRef file) : rest(text), file(file) {}

  /// Type and shape; the bytes are left empty.
  Expected<Tensor> read();

private:
  bool consume(StringRef token) {
    rest = rest.ltrim(" \t\r\n");
    return rest.consume_front(token);
  }
  std::optional<StringRef> readString();
  Error readField(StringRef key, Tensor &tensor);
  Error readShape(Tensor &tensor);
  Error unexpected(const Twine &wanted) const {
    return fileError(file, "npy header: expects " + wanted + ", but got " +
                               quoted(rest.take_front(24)));
  }

  StringRef rest;
  StringRef file;
};
} // namespace

static constexpr Descriptor descriptors[] = {
    {"b1", DataType::Bool}, {"u1", DataType::U8},  {"i1", DataType::I8},
    {"u2", DataType::U16},  {"i2", DataType::I16}, {"f2", DataType::F16},
    {"u4", DataType::U32},  {"i4", DataType::I32}, {"f4", DataType::F32},
    {"u8", DataType::U64},  {"i8", DataType::I64}, {"f8", DataType::F64}};

//===--- Reading ----------------------------------------------------------===//

// '<f4' or, where one byte has no order, '|u1'.
static std::optional<DataType> typeOfDescriptor(StringRef text) {
  if (!text.consume_front("<") && !text.consume_front("|"))
    return std::nullopt;
  const auto *found = find_if(
      descriptors, [&](const Descriptor &known) { return known.text == text; });
  return found == std::end(descriptors) ? std::nullopt
                                        : std::optional(found->type);
}

// Python quotes with either mark; none of the known texts holds an escape.
std::optional<StringRef> DictionaryReader::readString() {
  for (StringRef mark : {"'", "\""}) {
    if (!consume(mark))
      continue;
    size_t end = rest.find(mark);
    if (end == StringRef::npos)
      return std::nullopt;
    StringRef text = rest.take_front(end);
    rest = rest.drop_front(end + 1);
    return text;
  }
  return std::nullopt;
}

Error DictionaryReader::readShape(Tensor &tensor) {
  if (!consume("("))
    return unexpected("a shape such as (2, 3)");
  while (!consume(")")) {
    int64_t size;
    rest = rest.ltrim();
    if (rest.starts_with("-") || rest.consumeInteger(10, size))
      return unexpected("a dimension");
    if (tensor.shape.size() == highestRank)
      return fileError(file,
                       "expects at most " + Twine(highestRank) + " dimensions");
    tensor.shape.push_back(size);
    if (!consume(",") && !rest.ltrim().starts_with(")"))
      return unexpected("',' or ')'");
  }
  return Error::success();
}

Error DictionaryReader::readField(StringRef key, Tensor &tensor) {
  if (key == "shape")
    return readShape(tensor);
  if (key == "descr") {
    auto text = readString();
    if (!text)
      return unexpected("one element type, not a structure");
    auto type = typeOfDescriptor(*text);
    if (!type)
      return fileError(file,
                       "expects little-endian numbers or booleans ('<f4', "
                       "'<i8', '|b1', ...), but got " +
                           quoted(*text));
    tensor.type = *type;
    return Error::success();
  }
  if (consume("False"))
    return Error::success();
  if (consume("True"))
    return fileError(file, "expects C order, but the array is in Fortran "
                           "order; save numpy.ascontiguousarray(array)");
  return unexpected("True or False");
}

Expected<Tensor> DictionaryReader::read() {
  Tensor tensor;
  SmallVector<StringRef, 3> seen;
  if (!consume("{"))
    return unexpected("'{'");
  while (!consume("}")) {
    auto key = readString();
    if (!key || !is_contained({"descr", "fortran_order", "shape"}, *key) ||
        is_contained(seen, *key))
      return unexpected("the keys descr, fortran_order and shape, once each");
    seen.push_back(*key);
    if (!consume(":"))
      return unexpected("':'");
    if (Error error = readField(*key, tensor))
      return std::move(error);
    if (!consume(",") && !rest.ltrim().starts_with("}"))
      return unexpected("',' or '}'");
  }
  if (seen.size() != 3)
    return unexpected("the keys descr, fortran_order and shape");
  if (!rest.trim().empty())
    return unexpected("the end of the header");
  return tensor;
}

// Splits the file behind its magic into header and data.
static Expected<std::pair<StringRef, ArrayRef<uint8_t>>>
splitNpy(ArrayRef<uint8_t> bytes, StringRef origin) {
  constexpr size_t versionEnd = magic.size() + 2;
  StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (!text.starts_with(magic) || text.size() < versionEnd)
    return fileError(origin,
                     "expects a .npy file, which begins with \\x93NUMPY");
  unsigned version = bytes[magic.size()];
  if (version < 1 || version > 3)
    return fileError(origin, "expects .npy format version 1, 2 or 3, but got " +
                                 Twine(version));
  size_t lengthBytes = version == 1 ? 2 : 4;
  size_t begin = versionEnd + lengthBytes;
  if (bytes.size() < begin)
    return fileError(origin, "ends inside its .npy header");
  const uint8_t *length = bytes.data() + versionEnd;
  uint64_t size = version == 1 ? support::endian::read16le(length)
                               : support::endian::read32le(length);
  if (size > bytes.size() - begin)
    return fileError(origin, "expects a .npy header of " + Twine(size) +
                                 " bytes, but the file has only " +
                                 Twine(bytes.size() - begin) + " left");
  return std::pair(text.substr(begin, size), bytes.drop_front(begin + size));
}

Expected<Tensor> parseNpy(ArrayRef<uint8_t> bytes, StringRef origin) {
  auto parts = splitNpy(bytes, origin);
  if (!parts)
    return parts.takeError();
  auto [header, data] = *parts;
  auto tensor = DictionaryReader(header, origin).read();
  if (!tensor)
    return tensor.takeError();
  auto size = byteCount(tensor->type, tensor->shape);
  if (!size)
    return fileError(origin,
                     "expects a shape of less than 2^63 bytes, but got " +
                         shapeText(tensor->shape));
  if (*size != data.size())
    return fileError(origin, "expects " + Twine(*size) + " bytes for " +
                                 nameOf(tensor->type) + " " +
                                 shapeText(tensor->shape) + ", but got " +
                                 Twine(data.size()));
  tensor->bytes = data;
  return tensor;
}

Expected<Tensor> readNpy(StringRef path) {
  auto file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  auto tensor = parseNpy((*file)->bytes(), path);
  if (tensor)
    tensor->owner = *file;
  return tensor;
}

//===--- Writing ----------------------------------------------------------===//

static std::string makeHeader(StringRef descriptor, const Tensor &tensor) {
  std::string shape;
  for (int64_t size : tensor.shape)
    shape += std::to_string(size) + ", ";
  StringRef order = bytesPerElement(tensor.type) == 1 ? "|" : "<";
  std::string header =
      ("{'descr': '" + order + descriptor +
       "', 'fortran_order': False, 'shape': (" + shape + "), }")
          .str();
  // NumPy aligns the data to 64 bytes and ends the header with a line break.
  constexpr size_t before = magic.size() + 4, alignment = 64;
  size_t end = alignTo(before + header.size() + 1, alignment);
  header.resize(end - before - 1, ' ');
  return header + "\n";
}

Error writeNpy(StringRef path, const Tensor &tensor) {
  const auto *descriptor = find_if(descriptors, [&](const Descriptor &known) {
    return known.type == tensor.type;
  });
  if (descriptor == std::end(descriptors))
    return fileError(path, "expects an element type that NumPy has, but got " +
                               nameOf(tensor.type));
  if (byteCount(tensor.type, tensor.shape) != tensor.bytes.size())
    return fileError(path, "expects as many bytes as " + nameOf(tensor.type) +
                               " " + shapeText(tensor.shape) +
                               " has, but got " + Twine(tensor.bytes.size()));
  std::string header = makeHeader(descriptor->text, tensor);
  return writeFileAtomically(path, [&](raw_ostream &stream) {
    stream << magic << '\x01' << '\0';
    support::endian::write<uint16_t>(stream, header.size(), endianness::little);
    stream << header;
    stream.write(reinterpret_cast<const char *>(tensor.bytes.data()),
                 tensor.bytes.size());
  });
}

} // namespace attn::weights
