// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a file defines stands in the place of what it imports.

#include "frontend/language/syntax/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <map>

using namespace attn::lang;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

namespace {

using Files = std::map<std::string, std::string>;

struct Parsed {
  /// "block@file", and config parameters and constants as "value@file".
  std::vector<std::string> blocks, values;
  std::string errors;
};

Parsed parseFiles(const Files &files) {
  Diagnostics diagnostics;
  auto importer = [&](llvm::StringRef name) -> llvm::Expected<Source> {
    auto file = files.find(name.str());
    if (file == files.end())
      return llvm::createStringError("no file");
    return Source{file->first, file->second};
  };
  Description all = parse({"main", files.at("main")}, importer, diagnostics);
  Parsed result;
  auto add = [&](std::vector<std::string> &list, const auto &items) {
    for (const auto &item : items)
      list.push_back(item.name + "@" +
                     diagnostics.source(item.position.file).name);
  };
  add(result.blocks, all.blocks);
  add(result.values, all.config);
  add(result.values, all.globals);
  result.errors = diagnostics.text();
  return result;
}

const char *const f = "block f(x) { return x }\n";
const char *const g = "block g(x) { return x }\n";

} // namespace

TEST(Import, HidesBlocksOfTheImportedFile) {
  Parsed p = parseFiles(
      {{"main", std::string("import \"a\"\n") + f}, {"a", std::string(f) + g}});
  EXPECT_THAT(p.blocks, ElementsAre("f@main", "g@a"));
  EXPECT_EQ(p.errors, "");
}

TEST(Import, HidesConfigAndConstants) {
  Parsed p = parseFiles({{"main", "import \"a\"\n"
                                  "config { x = 1 }\nlet y = 2\nlet z = 3"},
                         {"a", "config { x, y, w }\nlet z = 4"}});
  EXPECT_THAT(p.values,
              UnorderedElementsAre("x@main", "y@main", "z@main", "w@a"));
}

TEST(Import, HidesThroughSeveralFiles) {
  Parsed p = parseFiles({{"main", std::string("import \"a\"\n") + f},
                         {"a", std::string("import \"b\"\n") + g},
                         {"b", std::string(f) + g}});
  EXPECT_THAT(p.blocks, ElementsAre("f@main", "g@a"));
}

TEST(Import, HidesWhateverTheOrderOfImports) {
  Parsed p = parseFiles({{"main", "import \"a\"\nimport \"b\""},
                         {"a", std::string("import \"b\"\n") + f},
                         {"b", f}});
  EXPECT_THAT(p.blocks, ElementsAre("f@a"));
}

TEST(Import, KeepsBothOfTwoUnrelatedFiles) {
  Parsed p =
      parseFiles({{"main", "import \"a\"\nimport \"b\""}, {"a", f}, {"b", f}});
  EXPECT_THAT(p.blocks, UnorderedElementsAre("f@a", "f@b"));
}

TEST(Import, CirclesEnd) {
  Parsed p = parseFiles({{"main", std::string("import \"a\"\n") + f},
                         {"a", std::string("import \"main\"\n") + f + g}});
  EXPECT_THAT(p.blocks, ElementsAre("f@main", "g@a"));
  EXPECT_EQ(p.errors, "");
}

TEST(Import, NamesOneThatIsNotThere) {
  Parsed p = parseFiles({{"main", "import \"a\""}});
  EXPECT_THAT(p.errors, testing::HasSubstr("main:1:8: error: no file"));
}
