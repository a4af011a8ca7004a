// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `attnc inspect` tells of a model.

#ifndef ATTN_TOOLS_ATTNC_REPORT_MODELREPORT_H
#define ATTN_TOOLS_ATTNC_REPORT_MODELREPORT_H

#include "codegen/package/Interface.h"
#include "tools/attnc/report/Structure.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>

namespace attn::tool {

/// What only the compiled model tells.
struct CompiledSizes {
  uint64_t weightsBytes = 0;
  uint64_t libraryBytes = 0;
  /// Exact, for one thread and for each further one; none where this machine
  /// cannot load the library.
  std::optional<size_t> workspaceBytes, workspaceBytesPerThread;
};

/// A model at some sizes.
struct ModelReport {
  std::string name, target;
  package::ModelInterface interface;
  std::vector<int64_t> sizes; ///< of the interface's dims
  ModelStructure structure;
  double flops = 0; ///< at these sizes
  size_t threads = 1;
  /// On so many cores of the best target.
  double predictedSeconds = 0;
  /// Of the data of the weights file, as planned.
  uint64_t plannedWeightsBytes = 0;
  std::optional<CompiledSizes> compiled;

  /// The size of a dynamic dimension.
  int64_t sizeOf(llvm::StringRef dim) const;
  /// A polynomial of the structure at these sizes.
  double evaluateAt(const DimExpr &value) const;
  void print(llvm::raw_ostream &os) const;
  llvm::json::Value toJson() const;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_MODELREPORT_H
