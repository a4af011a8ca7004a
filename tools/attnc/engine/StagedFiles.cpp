// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes under hidden names first, then renames.

#include "tools/attnc/engine/StagedFiles.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"

#include <csignal>

using namespace llvm;
using namespace attn::tool;

static Error fail(StringRef path, std::error_code error) {
  return createStringError(error, path + ": " + error.message());
}

Expected<StagedFiles> StagedFiles::create(StringRef directory) {
  if (std::error_code error = sys::fs::create_directories(directory))
    return fail(directory, error);
  if (!sys::fs::is_directory(directory))
    return fail(directory, std::make_error_code(std::errc::not_a_directory));
  return StagedFiles(directory,
                     ".attnc-" + utohexstr(sys::Process::GetRandomNumber()));
}

StagedFiles::StagedFiles(StagedFiles &&other) noexcept
    : directory(std::move(other.directory)), suffix(std::move(other.suffix)),
      names(std::move(other.names)) {
  other.names.clear();
}

StagedFiles::~StagedFiles() {
  for (const std::string &name : names) {
    (void)sys::fs::remove(staged(name));
    sys::DontRemoveFileOnSignal(staged(name));
  }
}

std::string StagedFiles::staged(StringRef name) const {
  SmallString<128> path(directory);
  sys::path::append(path, "." + name + suffix);
  return path.str().str();
}

std::string StagedFiles::published(StringRef name) const {
  SmallString<128> path(directory);
  sys::path::append(path, name);
  return path.str().str();
}

std::string StagedFiles::path(StringRef name) {
  if (!is_contained(names, name)) {
    names.push_back(name.str());
    sys::RemoveFileOnSignal(staged(name));
  }
  return staged(name);
}

namespace {
/// Lets the signals that end a process wait.
class SignalsBlocked {
public:
  SignalsBlocked() {
    sigset_t ending;
    sigemptyset(&ending);
    for (int signal : {SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM})
      sigaddset(&ending, signal);
    pthread_sigmask(SIG_BLOCK, &ending, &before);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  SignalsBlocked(const SignalsBlocked &) = delete;
  SignalsBlocked &operator=(const SignalsBlocked &) = delete;

private:
  sigset_t before;
};
} // namespace

Error StagedFiles::publish() {
  // A directory in a file's place would stop half way: look first.
  for (const std::string &name : names)
    if (sys::fs::is_directory(published(name)))
      return fail(published(name),
                  std::make_error_code(std::errc::is_a_directory));
  SignalsBlocked wait;
  for (const std::string &name : names)
    if (std::error_code error = sys::fs::rename(staged(name), published(name)))
      return fail(published(name), error);
  return Error::success();
}
