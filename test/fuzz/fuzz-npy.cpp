// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Any bytes are a .npy file that is refused or whose elements all exist.

#include "frontend/weights/Npy.h"

using namespace attn::weights;
using namespace llvm;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto tensor = parseNpy(ArrayRef(data, size), "fuzz");
  if (!tensor) {
    if (toString(tensor.takeError()).rfind("fuzz: ", 0) != 0)
      abort(); // Every message names the file.
    return 0;
  }
  std::vector<double> numbers(tensor->elements());
  readAsF64(*tensor, 0, numbers);
  return 0;
}
