// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A folder that goes away with the test.

#ifndef ATTN_TEST_CODEGEN_PACKAGE_TEMPORARY_H
#define ATTN_TEST_CODEGEN_PACKAGE_TEMPORARY_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <string>

namespace attn::test {

class TemporaryFolder {
public:
  TemporaryFolder() {
    if (llvm::sys::fs::createUniqueDirectory("attnc-test", root))
      ADD_FAILURE() << "cannot create a temporary folder";
  }
  ~TemporaryFolder() { llvm::sys::fs::remove_directories(root); }

  std::string path(llvm::StringRef name) const {
    llvm::SmallString<128> path(root);
    llvm::sys::path::append(path, name);
    return path.str().str();
  }
  std::string write(llvm::StringRef name, llvm::StringRef bytes) const {
    std::error_code error;
    llvm::raw_fd_ostream os(path(name), error);
    os << bytes;
    EXPECT_FALSE(error) << error.message();
    return path(name);
  }
  size_t fileCount() const {
    std::error_code error;
    size_t count = 0;
    for (llvm::sys::fs::directory_iterator it(root, error), end;
         it != end && !error; it.increment(error))
      ++count;
    return count;
  }

private:
  llvm::SmallString<128> root;
};

inline std::string readFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

} // namespace attn::test

#endif // ATTN_TEST_CODEGEN_PACKAGE_TEMPORARY_H
