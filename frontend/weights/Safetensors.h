// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The safetensors format, read and written.

#ifndef ATTN_FRONTEND_WEIGHTS_SAFETENSORS_H
#define ATTN_FRONTEND_WEIGHTS_SAFETENSORS_H

#include "frontend/weights/Tensor.h"

namespace attn::weights {

/// Maps a safetensors file and checks all of its header: the tensors cover the
/// data without overlaps or gaps, and each has as many bytes as its shape says.
/// The data itself is not read.
/// Format: https://github.com/huggingface/safetensors#format
llvm::Expected<TensorTable> openSafetensors(llvm::StringRef path);

/// The same for bytes in memory, which must outlive the table.
llvm::Expected<TensorTable> parseSafetensors(llvm::ArrayRef<uint8_t> bytes,
                                             llvm::StringRef origin);

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Writes the file as a whole or not at all. The tensors are laid out by
/// element size, then by name, so that the same tensors give the same bytes and
/// every element is aligned.
llvm::Error writeSafetensors(llvm::StringRef path,
                             llvm::ArrayRef<NamedTensor> tensors);

} // namespace attn::weights

#endif
