// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rate of multiply-adds that this machine reaches, measured.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_FMAPEAK_H
#define ATTN_TOOLS_ATTNC_ENGINE_FMAPEAK_H

#include "attn/attn.h"
#include "codegen/target/TargetSpec.h"

#include <memory>
#include <vector>

namespace attn::tool {

/// Writes a shared library of one task: independent chains of multiply-adds in
/// native vectors, as many as keep every unit of the target busy.
llvm::Error writeFmaKernel(const TargetSpec &target, llvm::StringRef path);

/// Measures with a library of writeFmaKernel.
class FmaPeak {
public:
  /// Takes some milliseconds to find how long a measurement has to be.
  /// `executor` may be null: the calling thread; it outlives the result.
  static llvm::Expected<std::unique_ptr<FmaPeak>>
  open(llvm::StringRef library, const attn_executor *executor);
  ~FmaPeak();

  /// Floating point operations per second over all slots of the executor.
  double measure();

private:
  FmaPeak() = default;

  void *handle = nullptr;
  attn_task task = nullptr;
  double flopsPerRound = 0;
  const attn_executor *executor = nullptr;
  /// The argument block: rounds, factor, summand; a cache line for each slot.
  std::vector<int64_t> block;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_FMAPEAK_H
