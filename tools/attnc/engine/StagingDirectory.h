// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Generated files that appear in their directory all together or not at all.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_STAGINGDIRECTORY_H
#define ATTN_TOOLS_ATTNC_ENGINE_STAGINGDIRECTORY_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace attn::tool {

/// A hidden directory inside the target directory. Files are written there and
/// moved out by publish(); what was not published vanishes with the object.
class StagingDirectory {
public:
  /// Creates `target` too, where it does not exist.
  static llvm::Expected<StagingDirectory> create(llvm::StringRef target);
  StagingDirectory(StagingDirectory &&other);
  ~StagingDirectory();

  /// Where to write the file that will be `target`/`name`.
  std::string path(llvm::StringRef name);
  /// Moves every file into the target directory, replacing older ones.
  llvm::Error publish();

private:
  StagingDirectory(std::string target, std::string staging)
      : target(std::move(target)), staging(std::move(staging)) {}

  std::string target, staging;
  std::vector<std::string> names;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_STAGINGDIRECTORY_H
