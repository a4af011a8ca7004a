// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `attnc verify` found: tensors of a compiled model beside those of the
// f64 reference.

#ifndef ATTN_TOOLS_ATTNC_REPORT_COMPARISONS_H
#define ATTN_TOOLS_ATTNC_REPORT_COMPARISONS_H

#include "codegen/reference/Array.h"
#include "frontend/weights/Tensor.h"
#include "llvm/Support/raw_ostream.h"

namespace attn::tool {

struct Comparison {
  std::string name;
  bool isLayer;
  double worstError = 0; ///< largest |actual - expected|
  double worstRatio = 0; ///< the same divided by its tolerance
};

/// Of tensors of one shape.
Comparison compare(llvm::StringRef name, bool isLayer,
                   const weights::Tensor &actual,
                   const reference::Array &expected);

/// A table, or JSON.
void printComparisons(llvm::ArrayRef<Comparison> comparisons, bool json,
                      llvm::raw_ostream &os);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_COMPARISONS_H
