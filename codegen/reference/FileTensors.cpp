// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of weight files as arrays of the reference evaluator.

#include "codegen/reference/FileTensors.h"

using namespace attn;
using namespace attn::reference;

llvm::Expected<Array> reference::readArray(const weights::Tensor &tensor) {
  std::optional<int64_t> count = Array::count(tensor.shape);
  if (!count)
    return llvm::createStringError("shape " + formatShape(tensor.shape) +
                                   " is larger than can be evaluated");
  if (weights::isFloatingPoint(tensor.type)) {
    std::vector<double> values(*count);
    weights::readAsF64(tensor, 0, values);
    return Array::ofFloats(tensor.shape, std::move(values));
  }
  std::vector<int64_t> values(*count);
  weights::readAsI64(tensor, 0, values);
  return Array::ofIntegers(tensor.shape, std::move(values));
}

llvm::Expected<Array> reference::readArray(const weights::TensorTable &table,
                                           llvm::StringRef name) {
  const weights::Tensor *tensor = table.find(name);
  if (!tensor)
    return llvm::createStringError(table.origin() + ": has no tensor '" + name +
                                   "'");
  llvm::Expected<Array> array = readArray(*tensor);
  if (!array)
    return llvm::createStringError(table.origin() + ": tensor '" + name +
                                   "': " + llvm::toString(array.takeError()));
  return array;
}
