// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files mapped for reading, and files that appear whole or not at all.

#ifndef ATTN_FRONTEND_WEIGHTS_FILE_H
#define ATTN_FRONTEND_WEIGHTS_FILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>
#include <string>

namespace attn::weights {

/// What tells one state of a file from another without reading it.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  int64_t modifiedNanoseconds = 0; ///< Since the epoch.
};

/// A regular file mapped read-only as a whole; pages are read when touched.
///
/// Nothing can protect a reader from another process that truncates the file
/// while it is mapped: touching the lost pages then ends the program (SIGBUS).
class MappedFile {
public:
  /// Fails for what is not a regular file (directory, pipe, device), without
  /// waiting for a writer at the other end of a pipe.
  static llvm::Expected<std::shared_ptr<const MappedFile>>
  open(llvm::StringRef path);

  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  const std::string &path() const { return filePath; }
  const FileIdentity &identity() const { return id; }
  llvm::ArrayRef<uint8_t> bytes() const { return contents; }
  llvm::StringRef text() const {
    return {reinterpret_cast<const char *>(contents.data()), contents.size()};
  }

private:
  MappedFile() = default;

  std::string filePath;
  FileIdentity id;
  llvm::ArrayRef<uint8_t> contents;
};

/// Writes `path` through a temporary file beside it and a rename, so that
/// readers see the old file or the whole new one, never a part. An existing
/// `path` that is not a regular file is left alone and reported.
llvm::Error
writeFileAtomically(llvm::StringRef path,
                    llvm::function_ref<void(llvm::raw_ostream &)> write);

} // namespace attn::weights

#endif
