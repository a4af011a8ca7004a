// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The clock that measurements read.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_CLOCK_H
#define ATTN_TOOLS_ATTNC_ENGINE_CLOCK_H

#include <chrono>

namespace attn::tool {

/// Seconds since some moment; never goes back.
inline double secondsNow() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_CLOCK_H
