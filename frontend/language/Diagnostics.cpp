// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rendering of errors with the source line and a caret.

#include "frontend/language/Diagnostics.h"

#include <algorithm>

using namespace attn::lang;

unsigned Diagnostics::addSource(Source source) {
  File file{std::move(source), {0}};
  for (size_t i = 0; i < file.source.text.size(); ++i)
    if (file.source.text[i] == '\n')
      file.lines.push_back(i + 1);
  files.push_back(std::move(file));
  return files.size() - 1;
}

std::pair<unsigned, unsigned> Diagnostics::lineColumn(Position position) const {
  const std::vector<unsigned> &lines = files[position.file].lines;
  auto next = std::upper_bound(lines.begin(), lines.end(), position.offset);
  unsigned line = next - lines.begin();
  return {line, position.offset - lines[line - 1] + 1};
}

void Diagnostics::render(Position position, llvm::StringRef kind,
                         const llvm::Twine &message) {
  const File &file = files[position.file];
  auto [line, column] = lineColumn(position);
  llvm::StringRef text =
      llvm::StringRef(file.source.text).substr(file.lines[line - 1]);
  text = text.take_until([](char c) { return c == '\n' || c == '\r'; });
  // Long lines are cut, so that a hostile one cannot fill a terminal.
  llvm::StringRef shown = text.take_front(200);
  rendered += (llvm::Twine(file.source.name) + ":" + llvm::Twine(line) + ":" +
               llvm::Twine(column) + ": " + kind + ": " + message + "\n")
                  .str();
  for (char c : shown)
    rendered += c == '\t' || static_cast<unsigned char>(c) >= ' ' ? c : '?';
  rendered += '\n';
  if (column > shown.size() + 1)
    return;
  // Tabs are repeated, so that the caret stands below its character.
  for (char c : shown.take_front(column - 1))
    rendered += c == '\t' ? '\t' : ' ';
  rendered += "^\n";
}

void Diagnostics::error(Position position, const llvm::Twine &message) {
  dropped = full();
  if (dropped)
    return;
  ++errors;
  render(position, "error", message);
}

void Diagnostics::note(Position position, const llvm::Twine &message) {
  if (!dropped)
    render(position, "note", message);
}

void Diagnostics::error(const llvm::Twine &message) {
  dropped = full();
  if (dropped)
    return;
  ++errors;
  rendered += (message + "\n").str();
}

void Diagnostics::errorIn(llvm::StringRef place, const llvm::Twine &message) {
  dropped = full();
  if (dropped)
    return;
  ++errors;
  rendered += (place + ": error: " + message + "\n").str();
}

std::string attn::lang::nearest(llvm::StringRef name,
                                const std::vector<std::string> &candidates) {
  constexpr size_t longest = 64;
  if (name.size() > longest)
    return "";
  // A third of the letters may differ; more is another word.
  unsigned best = std::max<size_t>(1, name.size() / 3) + 1;
  std::string found;
  for (const std::string &candidate : candidates) {
    if (candidate.size() > longest)
      continue;
    unsigned distance = name.edit_distance(candidate, true, best);
    if (distance < best && candidate != name) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string attn::lang::suggestion(llvm::StringRef name,
                                   const std::vector<std::string> &candidates) {
  std::string found = nearest(name, candidates);
  return found.empty() ? "" : ", did you mean '" + found + "'?";
}
