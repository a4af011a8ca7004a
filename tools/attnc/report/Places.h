// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where in a description an operation was written, for people.

#ifndef ATTN_TOOLS_ATTNC_REPORT_PLACES_H
#define ATTN_TOOLS_ATTNC_REPORT_PLACES_H

#include "mlir/IR/Location.h"
#include "llvm/ADT/SmallVector.h"

#include <string>

namespace attn::tool {

/// "vit.attn:35:11" of every place in a location, in order, each once.
llvm::SmallVector<std::string> placesOf(mlir::Location location);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_PLACES_H
