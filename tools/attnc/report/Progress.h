// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tells how far long work is, when someone is watching.

#ifndef ATTN_TOOLS_ATTNC_REPORT_PROGRESS_H
#define ATTN_TOOLS_ATTNC_REPORT_PROGRESS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>

namespace attn::tool {

/// One line on standard error, rewritten as work proceeds and erased at the
/// end. Silent unless standard error is a terminal.
class Progress {
public:
  Progress(llvm::StringRef what, uint64_t total)
      : what(what), total(total), shown(llvm::errs().is_displayed()) {}
  ~Progress() {
    if (shown && percent >= 0)
      llvm::errs() << "\r\033[K";
  }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void update(uint64_t done) {
    int now = total ? static_cast<int>(100.0 * done / total) : 100;
    if (!shown || now == percent)
      return;
    percent = now;
    llvm::errs() << "\r" << what << ": " << percent << "%";
  }

private:
  llvm::StringRef what;
  uint64_t total;
  bool shown;
  int percent = -1;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_PROGRESS_H
