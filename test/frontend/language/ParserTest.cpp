// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Syntax errors, recovery and the limits on what is parsed.

#include "test/frontend/language/Describe.h"

#include "frontend/language/syntax/Parser.h"

using namespace attn::lang;
using testing::HasSubstr;

static std::string errorsOf(const std::string &text) {
  Diagnostics diagnostics;
  parse({"t.attn", text}, nullptr, diagnostics);
  return diagnostics.text();
}

TEST(Parser, ShowsLineAndCaret) {
  EXPECT_EQ(errorsOf("block f(x) {\n  return x +\n}\n"),
            "t.attn:3:1: error: expects an expression, but got '}'\n"
            "}\n"
            "^\n");
}

TEST(Parser, MissingParenthesis) {
  EXPECT_EQ(errorsOf("let a = (1 + 2\nlet b = 3\n"),
            "t.attn:2:1: error: expects ')' after the expression, but got "
            "'let'\n"
            "let b = 3\n"
            "^\n");
}

TEST(Parser, ReportsSeveralErrors) {
  std::string errors = errorsOf("let = 1\nblock 3() {}\nlet ok = 2\nmodel m\n");
  EXPECT_THAT(errors,
              HasSubstr("t.attn:1:5: error: expects a name, but got '='"));
  EXPECT_THAT(errors, HasSubstr("t.attn:2:7: error: expects the block's name, "
                                "but got number '3'"));
  EXPECT_THAT(errors, HasSubstr("t.attn:5:1: error: expects '(' before the "
                                "inputs, but got the end"));
}

TEST(Parser, UnknownItem) {
  EXPECT_EQ(errorsOf("modell m() -> () {}"),
            "t.attn:1:1: error: expects config, let, require, ignore, alias, "
            "import, block, model or kernel, but got name 'modell'\n"
            "modell m() -> () {}\n"
            "^\n");
}

TEST(Parser, AliasesPairPatterns) {
  EXPECT_EQ(errorsOf("alias \"bert.*\" = \"*\"\nalias \"gamma\" = \"g\"\n"),
            "");
  EXPECT_THAT(errorsOf("alias \"bert.*\" = \"b\""),
              HasSubstr("t.attn:1:7: error: expects one '*' in both patterns, "
                        "or in none"));
  EXPECT_THAT(errorsOf("alias \"*.*\" = \"*-*\""),
              HasSubstr("expects one '*' in both patterns, or in none"));
  EXPECT_THAT(errorsOf("alias \"bert.*\" \"*\""),
              HasSubstr("t.attn:1:16: error: expects '=' after the pattern"));
  std::string many;
  for (int i = 0; i < 17; ++i)
    many += "alias \"a\" = \"b\"\n";
  EXPECT_THAT(errorsOf(many),
              HasSubstr("t.attn:17:7: error: has more than 16 aliases"));
}

TEST(Parser, NewLinesDoNotMatter) {
  EXPECT_EQ(errorsOf("config { a b = 2, c\n d = \"x\" }\n"
                     "block f(x) { let y = x let z = y return z }"),
            "");
}

TEST(Parser, ExpressionsInStrings) {
  EXPECT_EQ(errorsOf("let a = \"x.{1 + 2}.\\{y\\\"\""), "");
  EXPECT_THAT(errorsOf("let a = \"x.{1 + }\""),
              HasSubstr("t.attn:1:17: error: expects an expression, but got "
                        "the end"));
  EXPECT_THAT(errorsOf("let a = \"x{\""),
              HasSubstr("expects '}' after '{' in a string"));
}

TEST(Parser, NumbersOutOfRange) {
  EXPECT_THAT(errorsOf("let a = 9223372036854775808"),
              HasSubstr("number '9223372036854775808' is out of range"));
  EXPECT_THAT(errorsOf("let a = 1e999"), HasSubstr("is out of range"));
}

TEST(Parser, NestingIsBounded) {
  std::string deep = "let a = " + std::string(100000, '(') + "1";
  EXPECT_THAT(errorsOf(deep), HasSubstr("nests deeper than 128 levels"));
  std::string chain = "let a = 1";
  for (int i = 0; i < 100000; ++i)
    chain += " + 1";
  EXPECT_THAT(errorsOf(chain), HasSubstr("nests deeper than 128 levels"));
  std::string minus = "let a = " + std::string(100000, '-') + "1";
  EXPECT_THAT(errorsOf(minus), HasSubstr("nests deeper than 128 levels"));
}

TEST(Parser, LongSourcesAreRefused) {
  EXPECT_THAT(errorsOf(std::string((1 << 20) + 1, ' ')),
              HasSubstr("has more than 1048576 bytes"));
}

TEST(Parser, ErrorsAreCounted) {
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += "let = 1\n";
  size_t count = 0;
  for (size_t at = 0;
       (at = errorsOf(text).find("error:", at)) != std::string::npos &&
       count < 50;
       ++at)
    ++count;
  EXPECT_EQ(count, Diagnostics::maxErrors);
}

TEST(Parser, ImportsNeedAnImporter) {
  EXPECT_THAT(errorsOf("import \"bert.attn\""),
              HasSubstr("imports are not available here"));
}

TEST(Parser, ListsModels) {
  auto models =
      listModels({"t.attn", "model a(x: f32[n], optional y: i64[n] = 0)"
                            " -> (z: f32[n]) { return x }"},
                 nullptr);
  ASSERT_TRUE(bool(models));
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ((*models)[0].name, "a");
  EXPECT_EQ((*models)[0].inputs, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ((*models)[0].optionalInputs, (std::vector<std::string>{"y"}));
  EXPECT_EQ((*models)[0].outputs, (std::vector<std::string>{"z"}));
}
