// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What form an attention has, in words.

#ifndef ATTNC_REPORT_ATTENTIONREPORT_H
#define ATTNC_REPORT_ATTENTIONREPORT_H

#include "dialect/AttnOps.h"

#include <string>
#include <vector>

namespace attn::tool {

/// A line each on how scores are computed and normalised, on what is read
/// besides, and on what else the kernel does.
std::vector<std::string> describeAttention(AttentionOp op);

} // namespace attn::tool

#endif // ATTNC_REPORT_ATTENTIONREPORT_H
