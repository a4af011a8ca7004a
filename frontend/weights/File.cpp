// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files mapped for reading, and files that appear whole or not at all.

#include "frontend/weights/File.h"

#include "frontend/weights/Message.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"

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

Error writeFileAtomically(StringRef path,
                          function_ref<void(raw_ostream &)> write) {
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) &&
      status.type() != sys::fs::file_type::regular_file)
    return fileError(path, "expects a regular file or none to write to");

  auto temporary = sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!temporary)
    return fileError(path, "cannot create a file beside it: " +
                               toString(temporary.takeError()));
  std::error_code failure;
  {
    raw_fd_ostream stream(temporary->FD, /*shouldClose=*/false);
    write(stream);
    stream.flush();
    failure = stream.error();
    stream.clear_error();
  }
  // The rename must not reach the disk before the contents do.
  if (!failure && ::fsync(temporary->FD) != 0)
    failure = std::error_code(errno, std::generic_category());
  if (failure) {
    consumeError(temporary->discard());
    return fileError(path, "cannot write: " + failure.message());
  }
  if (Error error = temporary->keep(path))
    return fileError(path,
                     "cannot rename to it: " + toString(std::move(error)));
  return Error::success();
}

} // namespace attn::weights
