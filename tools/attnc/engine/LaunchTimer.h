// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times what a run launches, from outside: each launch is one call of the
// executor.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_LAUNCHTIMER_H
#define ATTN_TOOLS_ATTNC_ENGINE_LAUNCHTIMER_H

#include "attn/attn.h"
#include "tools/attnc/engine/Clock.h"

#include <vector>

namespace attn::tool {

/// An executor that times each launch of another one.
class LaunchTimer {
public:
  LaunchTimer(const attn_executor *inner, size_t launches)
      : inner(inner), times(launches),
        outer{this, inner ? inner->slots : 1, run} {}

  const attn_executor *executor() const { return &outer; }
  void beginRun() { next = 0; }
  /// Seconds of each run, for each launch.
  std::vector<std::vector<double>> &seconds() { return times; }

private:
  static void run(void *context, size_t slots, attn_task task, void *arg) {
    auto &self = *static_cast<LaunchTimer *>(context);
    double start = secondsNow();
    if (self.inner)
      self.inner->run(self.inner->context, slots, task, arg);
    else
      for (size_t slot = 0; slot < slots; ++slot)
        task(arg, slot);
    if (self.next < self.times.size())
      self.times[self.next].push_back(secondsNow() - start);
    ++self.next;
  }

  const attn_executor *inner;
  std::vector<std::vector<double>> times;
  size_t next = 0;
  attn_executor outer;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_LAUNCHTIMER_H
