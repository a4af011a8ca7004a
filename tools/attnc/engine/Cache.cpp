// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A directory for each compiled model, named by the hash of what it depends on.

#include "tools/attnc/engine/Cache.h"

#include "frontend/weights/File.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// A few models of the largest size that machines of this kind run.
constexpr uint64_t kCapacityBytes = uint64_t(16) << 30;

Error fail(StringRef path, std::error_code error) {
  return createStringError(error, path + ": " + error.message());
}

Expected<std::string> cacheDirectory() {
  SmallString<128> path;
  if (const char *base = std::getenv("XDG_CACHE_HOME"); base && *base)
    path = base;
  else if (!sys::path::cache_directory(path))
    sys::path::system_temp_directory(/*ErasedOnReboot=*/true, path);
  sys::path::append(path, "attnc", "models");
  if (std::error_code error = sys::fs::create_directories(
          path, /*IgnoreExisting=*/true, sys::fs::owner_all))
    return fail(path, error);
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status))
    return fail(path, error);
  // What is loaded from here is code: nobody else may write it.
  if (status.getUser() != geteuid() ||
      (status.permissions() & (sys::fs::group_write | sys::fs::others_write)))
    return createStringError(inconvertibleErrorCode(),
                             path + ": expects a directory that only its "
                                    "owner, this user, can write");
  return path.str().str();
}

void hashFile(BLAKE3 &hash, const weights::FileIdentity &id, StringRef path) {
  std::string text;
  raw_string_ostream(text) << path << '\0' << id.device << ' ' << id.inode
                           << ' ' << id.size << ' ' << id.modifiedNanoseconds
                           << '\0';
  hash.update(text);
}

Expected<std::string> computeKey(frontend::Model &model,
                                 const CompilerOptions &options) {
  BLAKE3 hash;
  auto self = weights::MappedFile::open("/proc/self/exe");
  if (!self)
    return self.takeError();
  hashFile(hash, (*self)->identity(), "attnc");
  std::string text;
  raw_string_ostream stream(text);
  model.module->print(stream);
  stream << '\0' << model.name << '\0' << options.name << '\0'
         << options.exposeTaps << options.generates << options.allowUnfused
         << '\0';
  for (const TargetSpec *target : options.targets)
    stream << target->name << ',';
  hash.update(text);
  if (model.weights)
    for (const auto &file : model.weights->files())
      hashFile(hash, file->identity(), file->path());
  auto digest = hash.final<16>();
  return toHex(ArrayRef<uint8_t>(digest), /*LowerCase=*/true);
}

uint64_t directoryBytes(StringRef path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (sys::fs::directory_iterator it(path, error), end; it != end && !error;
       it.increment(error))
    if (auto status = it->status())
      bytes += status->getSize();
  return bytes;
}

/// Deletes the models used longest ago until the rest fits.
void trim(StringRef directory, StringRef keep) {
  struct Model {
    sys::TimePoint<> used;
    std::string path;
    uint64_t bytes;
  };
  std::vector<Model> models;
  uint64_t total = 0;
  std::error_code error;
  for (sys::fs::directory_iterator it(directory, error), end;
       it != end && !error; it.increment(error)) {
    auto status = it->status();
    if (!status || it->path() == keep)
      continue;
    models.push_back({status->getLastModificationTime(), it->path(),
                      directoryBytes(it->path())});
    total += models.back().bytes;
  }
  llvm::sort(models,
             [](const Model &a, const Model &b) { return a.used < b.used; });
  for (const Model &model : models) {
    if (total <= kCapacityBytes)
      break;
    (void)sys::fs::remove_directories(model.path);
    total -= model.bytes;
  }
}

} // namespace

Expected<std::string>
attn::tool::compileCached(frontend::Model &model,
                          const CompilerOptions &options) {
  Expected<std::string> directory = cacheDirectory();
  if (!directory)
    return directory.takeError();
  Expected<std::string> key = computeKey(model, options);
  if (!key)
    return key.takeError();
  std::string name = options.name.empty() ? model.name : options.name;
  SmallString<128> entry(*directory), library;
  sys::path::append(entry, *key);
  library = entry;
  sys::path::append(library, name + ".so");
  if (sys::fs::exists(library)) {
    // The time of the directory is the time of its last use.
    int fd;
    if (!sys::fs::openFileForRead(entry, fd)) {
      (void)sys::fs::setLastAccessAndModificationTime(
          fd, std::chrono::system_clock::now());
      ::close(fd);
    }
    return library.str().str();
  }

  SmallString<128> staging;
  sys::fs::createUniquePath(entry + ".%%%%%%%%", staging, false);
  if (std::error_code error = sys::fs::create_directory(
          staging, /*IgnoreExisting=*/false, sys::fs::owner_all))
    return fail(staging, error);
  const std::string files[] = {(staging + "/" + name + ".so").str(),
                               (staging + "/" + name + ".weights").str()};
  for (const std::string &file : files)
    sys::RemoveFileOnSignal(file);
  Error failure = compileForUse(model, options, staging);
  for (const std::string &file : files)
    sys::DontRemoveFileOnSignal(file);
  if (failure) {
    (void)sys::fs::remove_directories(staging);
    return std::move(failure);
  }
  // Another process may have been faster: its result is the same.
  if (std::error_code error = sys::fs::rename(staging, entry)) {
    (void)sys::fs::remove_directories(staging);
    if (!sys::fs::exists(library))
      return fail(entry, error);
  }
  trim(*directory, entry);
  return library.str().str();
}
