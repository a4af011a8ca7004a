// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// JSON from files that nobody has checked yet.

#include "frontend/weights/Json.h"

#include "frontend/weights/File.h"
#include "frontend/weights/Message.h"
#include "llvm/ADT/StringSet.h"

#include <vector>

using namespace llvm;

namespace attn::weights {

namespace {
using Position = std::pair<unsigned, unsigned>; ///< Line and column, from 1.

/// Walks over a text once, without recursion, for what llvm::json does not
/// tell. Malformed text makes it stop early or see odd keys; llvm::json then
/// reports the text.
class StructureScan {
public:
  explicit StructureScan(StringRef text) : text(text) {}

  struct Issue {
    Position position;
    std::string message;
  };

  std::optional<Issue> run();

  StringMap<Position> topKeys; ///< The keys of the top object.

private:
  struct Level {
    bool isObject;
    std::string key; ///< The one read last.
    StringSet<> keys;
  };

  std::optional<Issue> readString();
  std::optional<Issue> addKey(size_t begin, StringRef literal);

  Position position(size_t offset) const {
    return {line, static_cast<unsigned>(offset - lineStart + 1)};
  }

  static constexpr size_t deepest = 64;
  StringRef text;
  size_t at = 0;
  unsigned line = 1;
  size_t lineStart = 0;
  std::vector<Level> levels;
};
} // namespace

std::optional<StructureScan::Issue> StructureScan::run() {
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (c == '{' || c == '[') {
      if (levels.size() == deepest)
        return Issue{position(at), "expects at most " +
                                       std::to_string(deepest) +
                                       " levels of nesting"};
      levels.push_back({c == '{', "", {}});
    } else if ((c == '}' || c == ']') && !levels.empty()) {
      levels.pop_back();
    } else if (c == '"') {
      if (auto issue = readString())
        return issue;
    } else if (c == '\n') {
      ++line;
      lineStart = at + 1;
    }
  }
  return std::nullopt;
}

// Leaves `at` on the closing quote.
std::optional<StructureScan::Issue> StructureScan::readString() {
  size_t begin = at++;
  while (at < text.size() && text[at] != '"')
    at += text[at] == '\\' ? 2 : 1;
  if (at >= text.size() || levels.empty() || !levels.back().isObject)
    return std::nullopt;
  size_t next = text.find_first_not_of(" \t\r\n", at + 1);
  if (next == StringRef::npos || text[next] != ':')
    return std::nullopt;
  return addKey(begin, text.slice(begin, at + 1));
}

std::optional<StructureScan::Issue> StructureScan::addKey(size_t begin,
                                                          StringRef literal) {
  std::string key = literal.drop_front().drop_back().str();
  if (literal.contains('\\')) { // "a" and "\u0061" are one key.
    auto decoded = json::parse(literal);
    if (!decoded) {
      consumeError(decoded.takeError());
      return std::nullopt;
    }
    key = decoded->getAsString()->str();
  }
  if (!levels.back().keys.insert(key).second) {
    std::string message = "key " + quoted(key) + " appears twice";
    if (levels.size() > 1 && levels[levels.size() - 2].isObject)
      message += " in " + quoted(levels[levels.size() - 2].key);
    return Issue{position(begin), message};
  }
  if (levels.size() == 1)
    topKeys[key] = position(begin);
  levels.back().key = std::move(key);
  return std::nullopt;
}

static Error errorAt(StringRef path, Position position, const Twine &message) {
  return fileError(
      (path + ":" + Twine(position.first) + ":" + Twine(position.second)).str(),
      message);
}

// llvm::json says where only in its text, `[LINE:COLUMN, byte=N]: MESSAGE`.
static Error syntaxError(StringRef path, Error error) {
  std::string text = toString(std::move(error));
  auto [place, message] = StringRef(text).split("]: ");
  StringRef position = place.drop_front().split(',').first;
  return fileError((path + ":" + position).str(), "JSON: " + message);
}

std::string JsonDocument::where(StringRef key) const {
  auto found = lineAndColumn.find(key);
  if (found == lineAndColumn.end())
    return path;
  auto [line, column] = found->second;
  return path + ":" + std::to_string(line) + ":" + std::to_string(column);
}

Expected<JsonDocument> parseJson(StringRef text, StringRef path) {
  StructureScan scan(text);
  if (auto issue = scan.run())
    return errorAt(path, issue->position, issue->message);
  auto root = json::parse(text);
  if (!root)
    return syntaxError(path, root.takeError());
  return JsonDocument{path.str(), std::move(*root), std::move(scan.topKeys)};
}

Expected<JsonDocument> readJson(StringRef path, uint64_t largest) {
  auto file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  if ((*file)->bytes().size() > largest)
    return fileError(path, "expects at most " + Twine(largest) +
                               " bytes of JSON, but got " +
                               Twine((*file)->bytes().size()));
  return parseJson((*file)->text(), path);
}

} // namespace attn::weights
