// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors for a reader's eyes.

#ifndef ATTN_TOOLS_ATTNC_REPORT_PRINTTENSORS_H
#define ATTN_TOOLS_ATTNC_REPORT_PRINTTENSORS_H

#include "frontend/weights/Safetensors.h"
#include "llvm/Support/raw_ostream.h"

namespace attn::tool {

/// Shapes and statistics for people, or all values as JSON.
void printTensors(llvm::ArrayRef<weights::NamedTensor> tensors, bool json,
                  llvm::raw_ostream &os);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_PRINTTENSORS_H
