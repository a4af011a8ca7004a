// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of the reference evaluator.

#include "codegen/reference/Array.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cassert>

using namespace attn::reference;

Array::Array()
    : dims{0}, floatData(std::make_shared<const std::vector<double>>()) {}

Array Array::ofFloats(llvm::ArrayRef<int64_t> shape,
                      std::vector<double> values) {
  assert(count(shape) == int64_t(values.size()));
  Array array;
  array.dims.assign(shape.begin(), shape.end());
  array.floatData =
      std::make_shared<const std::vector<double>>(std::move(values));
  return array;
}

Array Array::ofIntegers(llvm::ArrayRef<int64_t> shape,
                        std::vector<int64_t> values) {
  assert(count(shape) == int64_t(values.size()));
  Array array;
  array.dims.assign(shape.begin(), shape.end());
  array.floatData = nullptr;
  array.intData =
      std::make_shared<const std::vector<int64_t>>(std::move(values));
  return array;
}

std::optional<int64_t> Array::count(llvm::ArrayRef<int64_t> shape) {
  // Also without elements no stride may overflow: [0, huge, huge] is refused.
  int64_t product = 1;
  bool isEmpty = false;
  for (int64_t size : shape) {
    if (size < 0)
      return std::nullopt;
    isEmpty |= size == 0;
    if (size == 0)
      continue;
    if (size > maxElements / product)
      return std::nullopt;
    product *= size;
  }
  return isEmpty ? 0 : product;
}

Array Array::reshaped(llvm::ArrayRef<int64_t> shape) const {
  assert(count(shape) == size());
  Array array = *this;
  array.dims.assign(shape.begin(), shape.end());
  return array;
}

std::string attn::reference::formatShape(llvm::ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << '[';
  llvm::ListSeparator comma;
  for (int64_t size : shape) {
    stream << comma;
    if (size < 0)
      stream << '?';
    else
      stream << size;
  }
  stream << ']';
  return text;
}
