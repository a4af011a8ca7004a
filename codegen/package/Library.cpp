// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Archives by LLVM's archiver, links by LLD, both in this process.

#include "codegen/package/Library.h"
#include "codegen/package/Embedded.h"
#include "frontend/weights/File.h"
#include "lld/Common/Driver.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"

#include <cerrno>
#include <csignal>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace attn::package {

static Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<ObjectFile> commonObject(const TargetSpec &target) {
  Triple triple(target.triple);
  if (triple.getArch() == Triple::x86_64)
    return ObjectFile{"attn_runtime.o", embeddedRuntimeX86_64()};
  if (triple.getArch() == Triple::aarch64)
    return ObjectFile{"attn_runtime.o", embeddedRuntimeAArch64()};
  return fail("the runtime does not support " + triple.getArchName());
}

Error writeArchive(StringRef path, ArrayRef<ObjectFile> objects) {
  std::vector<NewArchiveMember> members;
  for (const ObjectFile &object : objects) {
    NewArchiveMember member(object.buffer());
    member.MemberName = object.name;
    members.push_back(std::move(member));
  }
  // The archiver's own way to a file ends the program on a full disk.
  auto archive = writeArchiveToBuffer(members, SymtabWritingMode::NormalSymtab,
                                      object::Archive::K_GNU,
                                      /*Deterministic=*/true, /*Thin=*/false);
  if (!archive)
    return fail(path + ": cannot write: " + toString(archive.takeError()));
  return weights::writeFileAtomically(
      path, [&](raw_ostream &os) { os << (*archive)->getBuffer(); });
}

//===----------------------------------------------------------------------===//
// LLD
//===----------------------------------------------------------------------===//

static StringRef emulation(const TargetSpec &target) {
  return Triple(target.triple).getArch() == Triple::aarch64 ? "aarch64linux"
                                                            : "elf_x86_64";
}

namespace {
/// A file in memory that has a path in this process: LLD reads files only.
class MemoryFile {
public:
  static Expected<MemoryFile> create(const ObjectFile &object) {
    MemoryFile file(::memfd_create(object.name.c_str(), MFD_CLOEXEC));
    std::error_code code(file.descriptor < 0 ? errno : 0,
                         std::generic_category());
    if (!code) {
      raw_fd_ostream os(file.descriptor, /*shouldClose=*/false);
      os << object.bytes;
      os.flush();
      code = os.error();
      os.clear_error();
    }
    if (code)
      return fail(object.name +
                  ": cannot hold it in memory: " + code.message());
    return file;
  }
  MemoryFile(MemoryFile &&other) noexcept
      : descriptor(std::exchange(other.descriptor, -1)) {}
  MemoryFile &operator=(MemoryFile &&) = delete;
  ~MemoryFile() {
    if (descriptor >= 0)
      ::close(descriptor);
  }

  std::string path() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }

private:
  explicit MemoryFile(int descriptor) : descriptor(descriptor) {}

  int descriptor;
};
} // namespace

/// LLD writes PATH.tmpXXXXXXX first, which stays where LLD is stopped.
static void removeUnfinished(StringRef path) {
  std::string prefix = (sys::path::filename(path) + ".tmp").str();
  std::error_code error;
  for (sys::fs::directory_iterator it(sys::path::parent_path(path), error), end;
       it != end && !error; it.increment(error))
    if (sys::path::filename(it->path()).starts_with(prefix))
      (void)sys::fs::remove(it->path());
}

static Error runLinker(StringRef path, ArrayRef<std::string> options) {
  std::vector<const char *> arguments{"ld.lld"};
  for (const std::string &option : options)
    arguments.push_back(option.c_str());
  std::string messages;
  raw_string_ostream os(messages);
  // LLD maps what it writes: on a full disk it faults, and is stopped.
  CrashRecoveryContext::Enable();
  lld::Result result =
      lld::lldMain(arguments, os, os, {{lld::Gnu, &lld::elf::link}});
  CrashRecoveryContext::Disable();
  if (result.retCode == 128 + SIGBUS) {
    removeUnfinished(path);
    return fail(path + ": cannot write: No space left on device");
  }
  if (result.retCode != 0 || !result.canRunAgain)
    return fail(path + ": cannot link: " + StringRef(messages).trim());
  return Error::success();
}

static Error link(StringRef path, const TargetSpec &target,
                  ArrayRef<ObjectFile> objects,
                  std::vector<std::string> options) {
  std::vector<MemoryFile> files;
  for (const ObjectFile &object : objects) {
    auto file = MemoryFile::create(object);
    if (!file)
      return file.takeError();
    files.push_back(std::move(*file));
  }
  options.insert(options.end(), {"-m", emulation(target).str(), "-o",
                                 path.str(), "--threads=1"});
  for (const MemoryFile &file : files)
    options.push_back(file.path());
  return runLinker(path, options);
}

Error linkSharedLibrary(StringRef path, StringRef soname,
                        const TargetSpec &target,
                        ArrayRef<ObjectFile> objects) {
  // Symbols of libc stay undefined: the program that loads the library has it.
  return link(path, target, objects,
              {"-shared", ("--soname=" + soname).str(), "--gc-sections",
               "--build-id=none", "--hash-style=gnu", "-Bsymbolic", "-z",
               "relro", "-z", "now", "-z", "noexecstack"});
}

Error linkObject(StringRef path, const TargetSpec &target,
                 ArrayRef<ObjectFile> objects) {
  return link(path, target, objects, {"-r"});
}

} // namespace attn::package
