// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sources of a description and the errors found in them.

#ifndef FRONTEND_LANGUAGE_DIAGNOSTICS_H
#define FRONTEND_LANGUAGE_DIAGNOSTICS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace attn::lang {

/// A named text; `name` is what errors and locations show.
struct Source {
  std::string name, text;
};

/// A place in one of the sources: its number and the byte offset.
struct Position {
  unsigned file = 0, offset = 0;
};

/// Keeps the sources alive and renders errors with line, column and a caret.
class Diagnostics {
public:
  /// Errors beyond this many are not recorded: they add noise only.
  static constexpr unsigned maxErrors = 20;

  /// Returns the number that positions in `source` carry.
  unsigned addSource(Source source);
  const Source &source(unsigned file) const { return files[file].source; }

  /// Line and column, both from 1; columns count bytes.
  std::pair<unsigned, unsigned> lineColumn(Position position) const;

  void error(Position position, const llvm::Twine &message);
  /// Belongs to the error before it, and vanishes with it.
  void note(Position position, const llvm::Twine &message);
  /// An error that has no place in a source, such as an option's.
  void error(const llvm::Twine &message);
  /// An error in another file; `place` says where, "config.json:3:5".
  void errorIn(llvm::StringRef place, const llvm::Twine &message);

  bool hasErrors() const { return errors != 0; }
  bool full() const { return errors >= maxErrors; }
  const std::string &text() const { return rendered; }

private:
  struct File {
    Source source;
    std::vector<unsigned> lines;
  };
  void render(Position position, llvm::StringRef kind,
              const llvm::Twine &message);

  std::deque<File> files;
  std::string rendered;
  unsigned errors = 0;
  bool dropped = false;
};

/// The candidate nearest to a misspelt `name`, or empty if none is near.
std::string nearest(llvm::StringRef name,
                    const std::vector<std::string> &candidates);

/// ", did you mean 'x'?" or empty.
std::string suggestion(llvm::StringRef name,
                       const std::vector<std::string> &candidates);

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_DIAGNOSTICS_H
