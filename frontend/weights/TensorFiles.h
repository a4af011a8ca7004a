// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inputs and outputs of a run, as users name them on a command line.

#ifndef ATTN_FRONTEND_WEIGHTS_TENSORFILES_H
#define ATTN_FRONTEND_WEIGHTS_TENSORFILES_H

#include "frontend/weights/Safetensors.h"

namespace attn::weights {

/// Reads `FILE` (a safetensors file, all of its tensors) and `NAME=FILE.npy`
/// items into one table. A name may come once.
llvm::Expected<TensorTable> readTensorFiles(llvm::ArrayRef<std::string> items);

/// Writes to each item: all tensors to a `FILE` in safetensors format, the
/// tensor of that name to `NAME=FILE.npy`. All items are checked before the
/// first is written.
llvm::Error writeTensorFiles(llvm::ArrayRef<std::string> items,
                             llvm::ArrayRef<NamedTensor> tensors);

} // namespace attn::weights

#endif
