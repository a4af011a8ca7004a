// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `attnc inspect` tells of a weights file.

#ifndef ATTN_TOOLS_ATTNC_REPORT_WEIGHTSREPORT_H
#define ATTN_TOOLS_ATTNC_REPORT_WEIGHTSREPORT_H

#include "codegen/package/WeightsFile.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace attn::tool {

void printWeights(const package::WeightsFile &file, llvm::raw_ostream &os);
llvm::json::Value weightsJson(const package::WeightsFile &file);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_WEIGHTSREPORT_H
