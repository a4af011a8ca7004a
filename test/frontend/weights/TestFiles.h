// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that tests make: a folder that goes away, safetensors by hand.

#ifndef ATTN_TEST_FRONTEND_WEIGHTS_TESTFILES_H
#define ATTN_TEST_FRONTEND_WEIGHTS_TESTFILES_H

#include "frontend/weights/Safetensors.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"
#include <fstream>
#include <string>

namespace attn::test {

/// A fixture with an empty folder of its own.
class FolderTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> path, real;
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("attnc-test", path));
    ASSERT_FALSE(llvm::sys::fs::real_path(path, real));
    folder = real.str().str();
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  std::string at(llvm::StringRef name) const {
    return folder + "/" + name.str();
  }
  /// Writes a file, its folders included, and returns its path.
  std::string put(llvm::StringRef name, llvm::StringRef content) const {
    std::string path = at(name);
    llvm::StringRef parent = llvm::StringRef(path).rsplit('/').first;
    EXPECT_FALSE(llvm::sys::fs::create_directories(parent));
    std::ofstream(path, std::ios::binary).write(content.data(), content.size());
    return path;
  }

  std::string folder;
};

/// The bytes of a safetensors file.
inline std::string safetensors(llvm::StringRef header, llvm::StringRef data) {
  char length[8];
  llvm::support::endian::write64le(length, header.size());
  return std::string(length, 8) + header.str() + data.str();
}

/// A safetensors file of one F32 tensor of two elements.
inline std::string oneTensor(llvm::StringRef name) {
  return safetensors("{\"" + name.str() +
                         "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"
                         "[0,8]}}",
                     llvm::StringRef("\0\0\x80\x3f\0\0\0\x40", 8)); // 1, 2
}

/// The error's text; fails the test where there is a value instead.
template <typename Value> std::string errorOf(llvm::Expected<Value> result) {
  EXPECT_FALSE(static_cast<bool>(result));
  return result ? "" : llvm::toString(result.takeError());
}

/// The value; ends the program where there is none.
template <typename Value> Value valueOf(llvm::Expected<Value> result) {
  return llvm::cantFail(std::move(result));
}

} // namespace attn::test

#endif
