// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rate at which this machine reads memory, measured.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_READRATE_H
#define ATTN_TOOLS_ATTNC_ENGINE_READRATE_H

#include "attn/attn.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace attn::tool {

/// Reads memory that no cache holds, in huge pages where the system has them,
/// with plain loops.
class ReadRate {
public:
  /// `executor` may be null: the calling thread; it outlives the result.
  static llvm::Expected<std::unique_ptr<ReadRate>>
  open(const attn_executor *executor);
  ~ReadRate();

  /// Bytes per second over all slots of the executor: of the loops tried, the
  /// fastest.
  double measure() const;

private:
  ReadRate() = default;
  double measure(int streams) const;

  const float *memory = nullptr;
  const attn_executor *executor = nullptr;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_READRATE_H
