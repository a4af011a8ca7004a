// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Archives by LLVM's archiver, links by LLD, both in this process.

#include "codegen/package/Library.h"
#include "codegen/package/Embedded.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"

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
  if (Error error = llvm::writeArchive(
          path, members, SymtabWritingMode::NormalSymtab,
          object::Archive::K_GNU, /*Deterministic=*/true, /*Thin=*/false))
    return fail(path + ": cannot write: " + toString(std::move(error)));
  return Error::success();
}

//===----------------------------------------------------------------------===//
// LLD
//===----------------------------------------------------------------------===//

static StringRef emulation(const TargetSpec &target) {
  return Triple(target.triple).getArch() == Triple::aarch64 ? "aarch64linux"
                                                            : "elf_x86_64";
}

/// LLD reads files only: writes `objects` into `folder` and returns their
/// paths.
static Expected<std::vector<std::string>>
writeObjects(StringRef folder, ArrayRef<ObjectFile> objects) {
  std::vector<std::string> paths;
  for (const ObjectFile &object : objects) {
    SmallString<128> path(folder);
    sys::path::append(path, object.name);
    std::error_code code;
    raw_fd_ostream os(path, code);
    if (!code) {
      os << object.bytes;
      os.close();
      code = os.error();
      os.clear_error();
    }
    if (code)
      return fail(path + ": cannot write: " + code.message());
    paths.push_back(path.str().str());
  }
  return paths;
}

static Error runLinker(StringRef path, ArrayRef<std::string> options) {
  std::vector<const char *> arguments{"ld.lld"};
  for (const std::string &option : options)
    arguments.push_back(option.c_str());
  std::string messages;
  raw_string_ostream os(messages);
  lld::Result result =
      lld::lldMain(arguments, os, os, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0 || !result.canRunAgain)
    return fail(path + ": cannot link: " + StringRef(messages).trim());
  return Error::success();
}

static Error link(StringRef path, const TargetSpec &target,
                  ArrayRef<ObjectFile> objects,
                  std::vector<std::string> options) {
  SmallString<128> folder;
  if (std::error_code code = sys::fs::createUniqueDirectory("attnc", folder))
    return fail("cannot create a temporary folder: " + code.message());
  scope_exit cleanup([&] { sys::fs::remove_directories(folder); });
  Expected<std::vector<std::string>> paths = writeObjects(folder, objects);
  if (!paths)
    return paths.takeError();
  options.insert(options.end(), {"-m", emulation(target).str(), "-o",
                                 path.str(), "--threads=1"});
  options.insert(options.end(), paths->begin(), paths->end());
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
