// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors as files store them, and tables of them by name.

#ifndef ATTN_FRONTEND_WEIGHTS_TENSOR_H
#define ATTN_FRONTEND_WEIGHTS_TENSOR_H

#include "frontend/weights/File.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attn::weights {

/// Element types, named as safetensors names them.
enum class DataType : uint8_t {
  Bool,
  U8,
  I8,
  U16,
  I16,
  F16,
  BF16,
  U32,
  I32,
  F32,
  U64,
  I64,
  F64
};

/// `F32`, `BF16`, ...
llvm::StringRef nameOf(DataType type);
/// The type of that name, none for names that are not in DataType.
std::optional<DataType> dataTypeNamed(llvm::StringRef name);
/// The names of all data types, for messages.
llvm::StringRef allDataTypes();
uint64_t bytesPerElement(DataType type);
/// F16, BF16, F32 and F64.
bool isFloatingPoint(DataType type);

/// The number of elements of a shape; none where a dimension is negative or
/// the number does not fit 63 bits.
std::optional<uint64_t> elementCount(llvm::ArrayRef<int64_t> shape);
/// The same for bytes.
std::optional<uint64_t> byteCount(DataType type, llvm::ArrayRef<int64_t> shape);

/// A dense row-major little-endian tensor. `bytes` may start at any address,
/// aligned or not, and live as long as `owner` (a mapped file or memory), which
/// copies of the tensor share; a null owner means that the creator keeps them.
struct Tensor {
  DataType type = DataType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::ArrayRef<uint8_t> bytes; ///< byteCount(type, shape) of them.
  std::shared_ptr<const void> owner;

  uint64_t elements() const { return bytes.size() / bytesPerElement(type); }

  /// A tensor that owns a copy of values; their number must fit the shape.
  static Tensor fromF32(llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<float> values);
  static Tensor fromI64(llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<int64_t> values);
};

/// Elements `begin`, `begin + 1`, ... of the tensor in row-major order, rounded
/// to the nearest value of the result's type (floating point) or exact
/// (integers; only for tensors of integers and booleans). The elements must
/// exist.
void readAsF32(const Tensor &tensor, uint64_t begin,
               llvm::MutableArrayRef<float> result);
void readAsF64(const Tensor &tensor, uint64_t begin,
               llvm::MutableArrayRef<double> result);
/// U64 values beyond the range of int64_t wrap around.
void readAsI64(const Tensor &tensor, uint64_t begin,
               llvm::MutableArrayRef<int64_t> result);

/// Tensors by name, with the files that hold them.
class TensorTable {
public:
  explicit TensorTable(llvm::StringRef origin) : from(origin.str()) {}

  /// The file or directory that messages name.
  const std::string &origin() const { return from; }

  /// Null where there is no such tensor.
  const Tensor *find(llvm::StringRef name) const;
  /// The file that holds a tensor of the table; the origin for tensors that
  /// came from memory.
  const std::string &fileOf(llvm::StringRef name) const;
  /// All names, sorted; they live as long as the table.
  std::vector<llvm::StringRef> names() const;
  size_t size() const { return entries.size(); }

  /// The mapped files, in the order they were added.
  llvm::ArrayRef<std::shared_ptr<const MappedFile>> files() const {
    return mappedFiles;
  }

  /// Adds a tensor; false where the name is taken already.
  bool insert(llvm::StringRef name, Tensor tensor,
              std::shared_ptr<const MappedFile> file = nullptr);

  /// Calls the tensor `from`, which exists, `to`, which does not. What names()
  /// gave of it ends.
  void rename(llvm::StringRef from, llvm::StringRef to);
  /// What the file calls a tensor of the table.
  llvm::StringRef storedName(llvm::StringRef name) const;

private:
  struct Entry {
    Tensor tensor;
    std::shared_ptr<const MappedFile> file;
    std::string storedName; ///< where it was renamed
  };

  std::string from;
  llvm::StringMap<Entry> entries;
  std::vector<std::shared_ptr<const MappedFile>> mappedFiles;
};

} // namespace attn::weights

#endif
