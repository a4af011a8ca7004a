// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sizes at which verify, bench and inspect see a model.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_SIZES_H
#define ATTN_TOOLS_ATTNC_COMMANDS_SIZES_H

#include "tools/attnc/CommandLine.h"
#include "tools/attnc/engine/Engine.h"

namespace attn::tool {

/// The size of every dynamic dimension: what --dim and --batch say, else
/// `otherwise` for it, within its bounds. A name that the model does not have
/// is an error that lists those it has, as is a size out of bounds.
inline llvm::Expected<std::vector<int64_t>>
chooseSizes(const CommandLine &line, llvm::ArrayRef<attn_dim_info> infos,
            llvm::function_ref<int64_t(llvm::StringRef)> otherwise) {
  auto given = line.dims();
  if (!given)
    return given.takeError();
  std::vector<int64_t> sizes;
  for (const attn_dim_info &info : infos)
    sizes.push_back(std::clamp(otherwise(info.name), info.min, info.max));
  for (const auto &[name, size] : *given) {
    bool found = false;
    std::string known;
    for (auto [info, chosen] : llvm::zip_equal(infos, sizes)) {
      known += known.empty() ? "" : ", ";
      known += info.name;
      if (name != info.name)
        continue;
      found = true;
      chosen = size;
      if (size < info.min || size > info.max)
        return llvm::make_error<UsageError>(
            "dimension '" + name + "' expects a size from " +
            llvm::Twine(info.min) + " to " + llvm::Twine(info.max) +
            ", but got " + llvm::Twine(size));
    }
    if (!found)
      return llvm::make_error<UsageError>(
          "the model has no dynamic dimension '" + name + "'; it has " +
          (known.empty() ? std::string("none") : known));
  }
  return sizes;
}

/// The dynamic dimensions of a program.
inline llvm::ArrayRef<attn_dim_info> dimsOf(const attn_program &program) {
  return {program.dims, program.dim_count};
}

/// What bench and inspect take where the user says nothing: one item, of a
/// length that models of text are usually compared at.
inline int64_t usualSize(llvm::StringRef dim) {
  return dim == "batch" ? 1 : 128;
}

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_SIZES_H
