// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Generated files that appear in their directory all together or not at all.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_STAGEDFILES_H
#define ATTN_TOOLS_ATTNC_ENGINE_STAGEDFILES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace attn::tool {

/// Files are written beside their places under hidden names, and renamed by
/// publish(). What was not published vanishes with the object, or with the
/// process where a signal ends it.
class StagedFiles {
public:
  /// Creates the directory too, where it does not exist.
  static llvm::Expected<StagedFiles> create(llvm::StringRef directory);
  StagedFiles(StagedFiles &&other) noexcept;
  ~StagedFiles();

  /// Where to write the file that will be `directory`/`name`.
  std::string path(llvm::StringRef name);
  /// Renames every file, replacing older ones. Signals wait meanwhile.
  llvm::Error publish();

private:
  StagedFiles(llvm::StringRef directory, std::string suffix)
      : directory(directory.str()), suffix(std::move(suffix)) {}
  std::string staged(llvm::StringRef name) const;
  std::string published(llvm::StringRef name) const;

  std::string directory, suffix;
  std::vector<std::string> names;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_STAGEDFILES_H
