// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the built model does not reach is checked for names and arguments.

#include "test/frontend/language/Describe.h"

using namespace attn::lang;
using testing::HasSubstr;

/// A model that builds, followed by `more`.
static std::string errors(const std::string &more) {
  return describe("config { width = 4 }\n"
                  "model m(x: f32[n, 4]) -> (y: f32[n, 4]) { return -x }\n" +
                      more,
                  "{}",
                  [] {
                    BuildOptions options;
                    options.model = "m";
                    return options;
                  }())
      .errors;
}

TEST(Names, BlocksThatNothingCalls) {
  EXPECT_THAT(errors("block b(x) { return x + widh }"),
              HasSubstr("test.attn:3:25: error: unknown name 'widh', did you "
                        "mean 'width'?"));
  EXPECT_THAT(errors("block b(x) { y = x\n return x }"),
              HasSubstr("3:14: error: unknown name 'y'"));
  EXPECT_THAT(errors("block b(x) { return lineer(x, 4, \"up\") }"),
              HasSubstr("unknown function 'lineer', did you mean 'linear'?"));
}

TEST(Names, BranchesNotTaken) {
  EXPECT_THAT(errors("block b(x) { if width == 5 { return z } return x }"),
              HasSubstr("unknown name 'z'"));
}

TEST(Names, OtherEntries) {
  EXPECT_THAT(errors("kernel k(x: f32[a, 4]) -> (y: f32[a, c]) { return x }"),
              HasSubstr("3:38: error: unknown name 'c'"));
}

TEST(Names, Arguments) {
  EXPECT_THAT(errors("block b(x, y = 2) { return x }\n"
                     "block c(x) { return b(x, 1, 2) }"),
              HasSubstr("4:29: error: block 'b' takes at most 2 arguments"));
  EXPECT_THAT(errors("block b(x) { return b() }"),
              HasSubstr("block 'b' needs an argument for 'x'"));
  EXPECT_THAT(errors("block b(x) { return gelu(x, 2) }"),
              HasSubstr("'gelu' takes at most 1 arguments"));
  EXPECT_THAT(errors("block b(x) { return softmax(x, axes = 2) }"),
              HasSubstr("'softmax' has no parameter 'axes', did you mean "
                        "'axis'?"));
  EXPECT_THAT(errors("block b(x) { return attend(x, x) }"),
              HasSubstr("attend needs an argument for 'v'"));
  EXPECT_THAT(errors("block b(x) { return attend(x, x, x, sinks = x) }"),
              HasSubstr("attend has no parameter 'sinks', did you mean "
                        "'sink'?"));
}

TEST(Names, ScorePrograms) {
  EXPECT_THAT(errors("block b(x) { return attend(x, x, x) {\n"
                     "  score = dott } }"),
              HasSubstr("4:11: error: unknown name 'dott', did you mean "
                        "'dot'?"));
  EXPECT_THAT(errors("block b(x) { return dot }"),
              HasSubstr("unknown name 'dot'"));
}

TEST(Names, WhatIsRightStaysSilent) {
  EXPECT_EQ(errors("let other = 2 * width\n"
                   "block b(x, y = width) {\n"
                   "  let a, c = split(x, 2)\n"
                   "  for i in 0..other within \"layer.{i}\" { a = a + c }\n"
                   "  return attend(a, c, x, sink = y) {\n"
                   "    let near = abs(i - j)\n"
                   "    for u in 0..2 { near = near + u }\n"
                   "    score = dot + near\n keep = j < N\n"
                   "    weight = normalized\n"
                   "  }\n}\n"
                   "model other(x: f32[a, k]) -> (y: f32[a + 1, k]) {\n"
                   "  return concat(b(x), b(y = x, x = x), axis = 0) }"),
            "");
}
