// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whether a file's tensors are the ones that a model needs.

#ifndef ATTN_FRONTEND_WEIGHTS_WEIGHTCHECK_H
#define ATTN_FRONTEND_WEIGHTS_WEIGHTCHECK_H

#include "frontend/weights/Tensor.h"

namespace attn::weights {

/// A weight that a model reads.
struct ExpectedWeight {
  std::string name;
  llvm::SmallVector<int64_t, 4> shape;
};

/// How much of a checkpoint a model is.
enum class Coverage {
  Whole,
  Part, ///< modules, names up to the last dot, of which it reads nothing may be
        ///< there, such as another head
};

/// Compares what a model reads with what there is. All weights that are
/// missing, unused, misshapen or not floating point numbers are in one error,
/// one line each (long lists are cut and counted), and a missing weight comes
/// with the nearest unused name. Weights that match an ignored pattern, where
/// `*` stands for any text, may stay unused.
llvm::Error checkWeights(llvm::ArrayRef<ExpectedWeight> expected,
                         llvm::ArrayRef<std::string> ignoredPatterns,
                         const TensorTable &table,
                         Coverage coverage = Coverage::Whole);

/// Whether a name matches a pattern, in which `*` stands for any text.
bool matchesPattern(llvm::StringRef name, llvm::StringRef pattern);

} // namespace attn::weights

#endif
