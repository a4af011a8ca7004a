// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files mapped for reading, and files that appear whole or not at all.

#include "frontend/weights/File.h"

#include "frontend/weights/Message.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace attn::weights {

static Error systemError(StringRef path, const Twine &action, int number) {
  return fileError(path, action + ": " + sys::StrError(number));
}

static const char *kindOf(mode_t mode) {
  if (S_ISDIR(mode))
    return "a directory";
  if (S_ISFIFO(mode))
    return "a pipe";
  if (S_ISSOCK(mode))
    return "a socket";
  return "a device";
}

Expected<std::shared_ptr<const MappedFile>> MappedFile::open(StringRef path) {
  std::shared_ptr<MappedFile> file(new MappedFile());
  file->filePath = path.str();
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  int descriptor =
      ::open(file->filePath.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return systemError(path, "cannot open", errno);
  scope_exit closeDescriptor([&] { ::close(descriptor); });

  struct stat status;
  if (::fstat(descriptor, &status) != 0)
    return systemError(path, "cannot read its status", errno);
  if (!S_ISREG(status.st_mode))
    return fileError(path, Twine("expects a regular file, but got ") +
                               kindOf(status.st_mode));
  file->id = {static_cast<uint64_t>(status.st_dev),
              static_cast<uint64_t>(status.st_ino),
              static_cast<uint64_t>(status.st_size),
              static_cast<int64_t>(status.st_mtim.tv_sec) * 1000000000 +
                  status.st_mtim.tv_nsec};
  size_t size = static_cast<size_t>(status.st_size);
  if (size == 0) // mmap refuses empty mappings.
    return std::shared_ptr<const MappedFile>(std::move(file));
  void *data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED)
    return systemError(path, "cannot map", errno);
  file->contents = ArrayRef(static_cast<const uint8_t *>(data), size);
  return std::shared_ptr<const MappedFile>(std::move(file));
}

MappedFile::~MappedFile() {
  if (!contents.empty())
    ::munmap(const_cast<uint8_t *>(contents.data()), contents.size());
}

// A new file beside `path`. LLVM's own unique names would replace every `%` of
// the path as well.
static Expected<int> createBeside(StringRef path, std::string &name) {
  constexpr int attempts = 100;
  for (int i = 0; i < attempts; ++i) {
    name = (path + "." + utohexstr(sys::Process::GetRandomNumber()) + ".tmp")
               .str();
    int descriptor =
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0)
      return descriptor;
    if (errno != EEXIST)
      break;
  }
  return systemError(path, "cannot create a file beside it", errno);
}

// Writes, flushes and closes. The rename that follows must not reach the disk
// before the contents do, hence fsync.
static std::error_code writeAndClose(int descriptor,
                                     function_ref<void(raw_ostream &)> write) {
  raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  write(stream);
  stream.flush();
  std::error_code failure = stream.error();
  if (!failure && ::fsync(descriptor) != 0)
    failure = std::error_code(errno, std::generic_category());
  stream.close();
  if (!failure)
    failure = stream.error();
  stream.clear_error();
  return failure;
}

Error writeFileAtomically(StringRef path,
                          function_ref<void(raw_ostream &)> write) {
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) &&
      status.type() != sys::fs::file_type::regular_file)
    return fileError(path, "expects a regular file or none to write to");

  std::string temporary;
  auto descriptor = createBeside(path, temporary);
  if (!descriptor)
    return descriptor.takeError();
  sys::RemoveFileOnSignal(temporary);
  std::error_code failure = writeAndClose(*descriptor, write);
  if (!failure)
    failure = sys::fs::rename(temporary, path);
  if (failure)
    ::unlink(temporary.c_str());
  sys::DontRemoveFileOnSignal(temporary);
  if (failure)
    return fileError(path, "cannot write: " + failure.message());
  return Error::success();
}

} // namespace attn::weights
