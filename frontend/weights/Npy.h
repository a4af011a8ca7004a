// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One tensor in NumPy's .npy format.

#ifndef ATTN_FRONTEND_WEIGHTS_NPY_H
#define ATTN_FRONTEND_WEIGHTS_NPY_H

#include "frontend/weights/Tensor.h"

namespace attn::weights {

/// Maps a .npy file of format version 1, 2 or 3: little-endian numbers or
/// booleans in C order. The tensor keeps the mapping alive.
/// Format:
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
llvm::Expected<Tensor> readNpy(llvm::StringRef path);

/// The same for bytes in memory, which must outlive the tensor.
llvm::Expected<Tensor> parseNpy(llvm::ArrayRef<uint8_t> bytes,
                                llvm::StringRef origin);

/// Writes the file as a whole or not at all. NumPy has no BF16: such a tensor
/// is an error.
llvm::Error writeNpy(llvm::StringRef path, const Tensor &tensor);

} // namespace attn::weights

#endif
