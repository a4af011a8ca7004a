// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Any bytes are a safetensors file that is refused or whose elements all exist.

#include "frontend/weights/Safetensors.h"

using namespace attn::weights;
using namespace llvm;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto table = parseSafetensors(ArrayRef(data, size), "fuzz");
  if (!table) {
    if (toString(table.takeError()).rfind("fuzz: ", 0) != 0)
      abort(); // Every message names the file.
    return 0;
  }
  for (StringRef name : table->names()) {
    const Tensor &tensor = *table->find(name);
    std::vector<double> numbers(tensor.elements());
    readAsF64(tensor, 0, numbers);
    if (isFloatingPoint(tensor.type))
      continue;
    std::vector<int64_t> integers(tensor.elements());
    readAsI64(tensor, 0, integers);
  }
  return 0;
}
