// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A file and all that it imports become one description.

#include "frontend/language/syntax/ParserImpl.h"
#include "llvm/ADT/STLExtras.h"

#include <map>
#include <set>

using namespace attn::lang;

namespace {
constexpr size_t maxSourceBytes = 1 << 20;
constexpr size_t maxImports = 32;

class ImportingParser {
public:
  ImportingParser(const Importer &importer, Diagnostics &diagnostics)
      : importer(importer), diagnostics(diagnostics) {}

  Description parse(const Source &root) {
    importers[root.name];
    pending.push_back(root);
    while (!pending.empty()) {
      Source source = std::move(pending.back());
      pending.pop_back();
      read(std::move(source));
    }
    hideImported();
    return std::move(out);
  }

private:
  /// The files that define a name.
  using Definitions = std::map<std::string, std::set<unsigned>>;

  void read(Source source);
  void follow(const Import &import, const std::string &by);
  void hideImported();

  /// Whether one file imports another, or a third that does. Ends, since
  /// imports in a circle are not recorded.
  bool imports(const std::string &file, const std::string &imported) const {
    return llvm::any_of(importers.at(imported), [&](const std::string &by) {
      return by == file || imports(file, by);
    });
  }

  template <typename Item>
  void note(Definitions &definitions, const std::vector<Item> &items) {
    for (const Item &item : items)
      definitions[item.name].insert(item.position.file);
  }

  template <typename Item>
  void hide(const Definitions &definitions, std::vector<Item> &items) {
    llvm::erase_if(items, [&](const Item &item) {
      return llvm::any_of(definitions.at(item.name), [&](unsigned other) {
        return imports(diagnostics.source(other).name,
                       diagnostics.source(item.position.file).name);
      });
    });
  }

  const Importer &importer;
  Diagnostics &diagnostics;
  Description out;
  std::vector<Source> pending;
  /// By name of a file: the ones whose imports name it.
  std::map<std::string, std::set<std::string>> importers;
};
} // namespace

void ImportingParser::read(Source source) {
  if (source.text.size() > maxSourceBytes) {
    diagnostics.error("'" + source.name + "' has more than " +
                      llvm::Twine(maxSourceBytes) + " bytes");
    return;
  }
  std::string name = source.name;
  unsigned size = source.text.size();
  unsigned file = diagnostics.addSource(std::move(source));
  Parser parser(diagnostics, file, 0, size, 0);
  std::vector<Import> found;
  size_t models = out.models.size();
  parser.parseFile(out, found);
  // Imports bring blocks and constants; the models stay their own.
  if (!importers[name].empty())
    out.models.resize(models);
  for (const Import &import : found)
    follow(import, name);
}

void ImportingParser::follow(const Import &import, const std::string &by) {
  auto [entry, isNew] = importers.try_emplace(import.name);
  if (import.name != by && !imports(import.name, by))
    entry->second.insert(by);
  if (!isNew)
    return;
  if (!importer || importers.size() > maxImports) {
    diagnostics.error(import.position, importer
                                           ? "imports more than 32 descriptions"
                                           : "imports are not available here");
    return;
  }
  llvm::Expected<Source> text = importer(import.name);
  if (text)
    pending.push_back({import.name, std::move(text->text)});
  else
    diagnostics.error(import.position, llvm::toString(text.takeError()));
}

/// What a file defines stands in the place of what it imports under that name.
void ImportingParser::hideImported() {
  Definitions values, blocks;
  note(values, out.config);
  note(values, out.globals);
  note(blocks, out.blocks);
  hide(values, out.config);
  hide(values, out.globals);
  hide(blocks, out.blocks);
}

Description attn::lang::parse(const Source &source, const Importer &importer,
                              Diagnostics &diagnostics) {
  return ImportingParser(importer, diagnostics).parse(source);
}
