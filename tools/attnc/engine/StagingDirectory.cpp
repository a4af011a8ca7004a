// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes to a hidden directory first, then renames.

#include "tools/attnc/engine/StagingDirectory.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace attn::tool;

static Error fail(StringRef path, std::error_code error) {
  return createStringError(error, path + ": " + error.message());
}

Expected<StagingDirectory> StagingDirectory::create(StringRef target) {
  if (std::error_code error = sys::fs::create_directories(target))
    return fail(target, error);
  SmallString<128> model(target), staging;
  sys::path::append(model, ".attnc-%%%%%%%%");
  for (int attempt = 0; attempt < 16; ++attempt) {
    sys::fs::createUniquePath(model, staging, /*MakeAbsolute=*/false);
    std::error_code error =
        sys::fs::create_directory(staging, /*IgnoreExisting=*/false);
    if (!error)
      return StagingDirectory(target.str(), staging.str().str());
    if (error != std::errc::file_exists)
      return fail(target, error);
  }
  return fail(target, std::make_error_code(std::errc::file_exists));
}

StagingDirectory::StagingDirectory(StagingDirectory &&other)
    : target(std::move(other.target)), staging(std::move(other.staging)),
      names(std::move(other.names)) {
  other.staging.clear();
}

StagingDirectory::~StagingDirectory() {
  if (!staging.empty())
    sys::fs::remove_directories(staging);
}

std::string StagingDirectory::path(StringRef name) {
  if (!is_contained(names, name))
    names.push_back(name.str());
  SmallString<128> path(staging);
  sys::path::append(path, name);
  return path.str().str();
}

Error StagingDirectory::publish() {
  // A directory in a file's place would stop half way: look first.
  for (const std::string &name : names) {
    SmallString<128> to(target);
    sys::path::append(to, name);
    if (sys::fs::is_directory(to))
      return fail(to, std::make_error_code(std::errc::is_a_directory));
  }
  for (const std::string &name : names) {
    SmallString<128> to(target);
    sys::path::append(to, name);
    if (std::error_code error = sys::fs::rename(path(name), to))
      return fail(to, error);
  }
  return Error::success();
}
