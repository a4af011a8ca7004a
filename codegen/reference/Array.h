// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A tensor as the reference evaluator holds it: f64 or i64 elements, dense,
// row-major.

#ifndef ATTN_CODEGEN_REFERENCE_ARRAY_H
#define ATTN_CODEGEN_REFERENCE_ARRAY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attn::reference {

/// An immutable tensor. Copies share their elements. Every floating-point type
/// is held as double, every integer type, i1 and index included, as int64_t
/// (an i1 as 0 or 1).
class Array {
public:
  /// Larger arrays are refused: 2^29 elements are 4 GiB.
  static constexpr int64_t maxElements = int64_t(1) << 29;

  /// An empty array of shape [0].
  Array();

  /// The product of `shape` must be the number of values.
  static Array ofFloats(llvm::ArrayRef<int64_t> shape,
                        std::vector<double> values);
  static Array ofIntegers(llvm::ArrayRef<int64_t> shape,
                          std::vector<int64_t> values);

  /// The number of elements of a shape; nothing if a dimension is negative or
  /// the product of those that are not 0 exceeds maxElements.
  static std::optional<int64_t> count(llvm::ArrayRef<int64_t> shape);

  llvm::ArrayRef<int64_t> shape() const { return dims; }
  int64_t rank() const { return dims.size(); }
  int64_t size() const {
    return isFloat() ? floatData->size() : intData->size();
  }
  bool isFloat() const { return floatData != nullptr; }

  /// The elements; only the one that isFloat() names may be asked for.
  llvm::ArrayRef<double> floats() const { return *floatData; }
  llvm::ArrayRef<int64_t> integers() const { return *intData; }

  /// The same elements under another shape of equal size.
  Array reshaped(llvm::ArrayRef<int64_t> shape) const;

private:
  llvm::SmallVector<int64_t, 4> dims;
  std::shared_ptr<const std::vector<double>> floatData;
  std::shared_ptr<const std::vector<int64_t>> intData;
};

/// "[2, 197, 768]", for messages.
std::string formatShape(llvm::ArrayRef<int64_t> shape);

} // namespace attn::reference

#endif // ATTN_CODEGEN_REFERENCE_ARRAY_H
