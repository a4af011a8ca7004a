// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sizes that reports are made for.

#ifndef ATTN_TOOLS_ATTNC_REPORT_USUALSIZE_H
#define ATTN_TOOLS_ATTNC_REPORT_USUALSIZE_H

#include "llvm/ADT/StringRef.h"

namespace attn::tool {

/// The size of a dimension where the user says nothing: one item, of a length
/// that models of text are usually compared at.
inline int64_t usualSize(llvm::StringRef dim) {
  return dim == "batch" ? 1 : 128;
}

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_USUALSIZE_H
