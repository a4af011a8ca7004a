// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads places out of locations.

#include "tools/attnc/report/Places.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace llvm;

SmallVector<std::string> attn::tool::placesOf(mlir::Location location) {
  SmallVector<std::string> places;
  location->walk([&](mlir::Location leaf) {
    if (auto place = dyn_cast<mlir::FileLineColLoc>(leaf)) {
      std::string text =
          formatv("{0}:{1}:{2}", sys::path::filename(place.getFilename()),
                  place.getLine(), place.getColumn());
      if (!is_contained(places, text))
        places.push_back(text);
    }
    return mlir::WalkResult::advance();
  });
  return places;
}
