// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Element types, conversion of elements, tables of tensors.

#include "frontend/weights/Tensor.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

using namespace llvm;

namespace attn::weights {

static_assert(endianness::native == endianness::little,
              "tensors are read as they are stored, little-endian");

//===--- Element types ----------------------------------------------------===//

namespace {
struct TypeFacts {
  StringRef name;
  uint64_t bytes;
  bool floating;
};
} // namespace

// In the order of DataType.
static constexpr TypeFacts typeFacts[] = {
    {"BOOL", 1, false}, {"U8", 1, false}, {"I8", 1, false},  {"U16", 2, false},
    {"I16", 2, false},  {"F16", 2, true}, {"BF16", 2, true}, {"U32", 4, false},
    {"I32", 4, false},  {"F32", 4, true}, {"U64", 8, false}, {"I64", 8, false},
    {"F64", 8, true}};

static const TypeFacts &factsOf(DataType type) {
  return typeFacts[static_cast<size_t>(type)];
}

StringRef nameOf(DataType type) { return factsOf(type).name; }
uint64_t bytesPerElement(DataType type) { return factsOf(type).bytes; }
bool isFloatingPoint(DataType type) { return factsOf(type).floating; }

std::optional<DataType> dataTypeNamed(StringRef name) {
  for (auto [index, facts] : enumerate(typeFacts))
    if (facts.name == name)
      return static_cast<DataType>(index);
  return std::nullopt;
}

StringRef allDataTypes() {
  return "BOOL, U8, I8, U16, I16, F16, BF16, U32, I32, F32, U64, I64 or F64";
}

std::optional<uint64_t> elementCount(ArrayRef<int64_t> shape) {
  // Zero first: [2^62, 2^62, 0] holds nothing and overflows nothing.
  if (any_of(shape, [](int64_t size) { return size < 0; }))
    return std::nullopt;
  if (is_contained(shape, 0))
    return 0;
  int64_t count = 1;
  for (int64_t size : shape)
    if (__builtin_mul_overflow(count, size, &count))
      return std::nullopt;
  return count;
}

std::optional<uint64_t> byteCount(DataType type, ArrayRef<int64_t> shape) {
  auto count = elementCount(shape);
  uint64_t limit = std::numeric_limits<int64_t>::max() / bytesPerElement(type);
  if (!count || *count > limit)
    return std::nullopt;
  return *count * bytesPerElement(type);
}

//===--- Conversion -------------------------------------------------------===//

namespace {
struct Half {
  uint16_t bits;

  // The exponent is rebiased by a multiplication, which also normalises
  // subnormal values; infinity and NaN are what ends up at 2^16 or above.
  explicit operator float() const {
    constexpr float rebias = 0x1p112f;
    float magnitude = bit_cast<float>(uint32_t(bits & 0x7fff) << 13) * rebias;
    uint32_t result = bit_cast<uint32_t>(magnitude);
    if (magnitude >= 0x1p16f)
      result |= 0x7f800000;
    return bit_cast<float>(result | uint32_t(bits & 0x8000) << 16);
  }
};

struct Bfloat {
  uint16_t bits;
  explicit operator float() const {
    return bit_cast<float>(uint32_t(bits) << 16);
  }
};

// Any byte but 0 counts as true; a C++ bool may only hold 0 and 1.
struct Boolean {
  uint8_t byte;
  explicit operator int64_t() const { return byte != 0; }
};
} // namespace

template <typename Stored, typename Result>
static Result convertElement(Stored value) {
  if constexpr (std::is_same_v<Stored, Half> || std::is_same_v<Stored, Bfloat>)
    return static_cast<Result>(static_cast<float>(value));
  else if constexpr (std::is_same_v<Stored, Boolean>)
    return static_cast<Result>(static_cast<int64_t>(value));
  else
    return static_cast<Result>(value);
}

template <typename Stored, typename Result>
static void convert(const uint8_t *bytes, MutableArrayRef<Result> result) {
  for (Result &element : result) {
    Stored value; // The bytes may be unaligned.
    std::memcpy(&value, bytes, sizeof(Stored));
    bytes += sizeof(Stored);
    element = convertElement<Stored, Result>(value);
  }
}

template <typename Result>
static void readIntegers(DataType type, const uint8_t *bytes,
                         MutableArrayRef<Result> result) {
  switch (type) {
  case DataType::Bool:
    return convert<Boolean>(bytes, result);
  case DataType::U8:
    return convert<uint8_t>(bytes, result);
  case DataType::I8:
    return convert<int8_t>(bytes, result);
  case DataType::U16:
    return convert<uint16_t>(bytes, result);
  case DataType::I16:
    return convert<int16_t>(bytes, result);
  case DataType::U32:
    return convert<uint32_t>(bytes, result);
  case DataType::I32:
    return convert<int32_t>(bytes, result);
  case DataType::U64:
    return convert<uint64_t>(bytes, result);
  case DataType::I64:
    return convert<int64_t>(bytes, result);
  default:
    llvm_unreachable("a tensor of floating point numbers read as integers");
  }
}

template <typename Result>
static void readNumbers(DataType type, const uint8_t *bytes,
                        MutableArrayRef<Result> result) {
  switch (type) {
  case DataType::F16:
    return convert<Half>(bytes, result);
  case DataType::BF16:
    return convert<Bfloat>(bytes, result);
  case DataType::F32:
    return convert<float>(bytes, result);
  case DataType::F64:
    return convert<double>(bytes, result);
  default:
    return readIntegers(type, bytes, result);
  }
}

static const uint8_t *elementsAt(const Tensor &tensor, uint64_t begin,
                                 uint64_t count) {
  assert(begin <= tensor.elements() && count <= tensor.elements() - begin);
  return tensor.bytes.data() + begin * bytesPerElement(tensor.type);
}

void readAsF32(const Tensor &tensor, uint64_t begin,
               MutableArrayRef<float> result) {
  readNumbers(tensor.type, elementsAt(tensor, begin, result.size()), result);
}

void readAsF64(const Tensor &tensor, uint64_t begin,
               MutableArrayRef<double> result) {
  readNumbers(tensor.type, elementsAt(tensor, begin, result.size()), result);
}

void readAsI64(const Tensor &tensor, uint64_t begin,
               MutableArrayRef<int64_t> result) {
  readIntegers(tensor.type, elementsAt(tensor, begin, result.size()), result);
}

//===--- Tensor and TensorTable -------------------------------------------===//

template <typename Element>
static Tensor ownCopy(DataType type, ArrayRef<int64_t> shape,
                      ArrayRef<Element> values) {
  assert(elementCount(shape) == values.size());
  auto memory = std::make_shared<std::vector<Element>>(values);
  ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(memory->data()),
                          memory->size() * sizeof(Element));
  return {type, SmallVector<int64_t, 4>(shape), bytes, std::move(memory)};
}

Tensor Tensor::fromF32(ArrayRef<int64_t> shape, ArrayRef<float> values) {
  return ownCopy(DataType::F32, shape, values);
}

Tensor Tensor::fromI64(ArrayRef<int64_t> shape, ArrayRef<int64_t> values) {
  return ownCopy(DataType::I64, shape, values);
}

const Tensor *TensorTable::find(StringRef name) const {
  auto found = entries.find(name);
  return found == entries.end() ? nullptr : &found->second.tensor;
}

std::vector<StringRef> TensorTable::names() const {
  std::vector<StringRef> names(entries.keys().begin(), entries.keys().end());
  llvm::sort(names);
  return names;
}

const std::string &TensorTable::fileOf(StringRef name) const {
  auto found = entries.find(name);
  return found == entries.end() || !found->second.file
             ? from
             : found->second.file->path();
}

bool TensorTable::insert(StringRef name, Tensor tensor,
                         std::shared_ptr<const MappedFile> file) {
  auto [entry, isNew] = entries.try_emplace(name);
  if (!isNew)
    return false;
  if (file && (mappedFiles.empty() || mappedFiles.back() != file) &&
      !is_contained(mappedFiles, file))
    mappedFiles.push_back(file);
  entry->second = {std::move(tensor), std::move(file), ""};
  return true;
}

void TensorTable::rename(StringRef from, StringRef to) {
  auto found = entries.find(from);
  Entry entry = std::move(found->second);
  if (entry.storedName.empty())
    entry.storedName = from.str();
  entries.erase(found);
  entries.try_emplace(to, std::move(entry));
}

StringRef TensorTable::storedName(StringRef name) const {
  auto found = entries.find(name);
  bool isRenamed = found != entries.end() && !found->second.storedName.empty();
  return isRenamed ? StringRef(found->second.storedName) : name;
}

} // namespace attn::weights
