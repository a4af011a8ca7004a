// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tokens and the errors of malformed ones.

#include "frontend/language/syntax/Lexer.h"
#include "gtest/gtest.h"

using namespace attn::lang;

static std::vector<std::string> lex(const std::string &text,
                                    Diagnostics &diagnostics) {
  unsigned file = diagnostics.addSource({"t", text});
  Lexer lexer(diagnostics, file, 0, text.size());
  std::vector<std::string> tokens;
  for (Token token = lexer.next(); token.kind != Token::End;
       token = lexer.next())
    tokens.push_back(token.text.str());
  return tokens;
}

TEST(Lexer, RangeIsNotAFloat) {
  Diagnostics diagnostics;
  EXPECT_EQ(lex("0..12 1.5 1e-12 2E3", diagnostics),
            (std::vector<std::string>{"0", "..", "12", "1.5", "1e-12", "2E3"}));
  EXPECT_EQ(diagnostics.text(), "");
}

TEST(Lexer, LongestSymbolWins) {
  Diagnostics diagnostics;
  EXPECT_EQ(lex("a<=b==c->d", diagnostics),
            (std::vector<std::string>{"a", "<=", "b", "==", "c", "->", "d"}));
}

TEST(Lexer, CommentsEndWithTheLine) {
  Diagnostics diagnostics;
  EXPECT_EQ(lex("a // b\nc//", diagnostics),
            (std::vector<std::string>{"a", "c"}));
}

TEST(Lexer, KnowsWhichTokenStartsALine) {
  Diagnostics diagnostics;
  std::string text = "a b\n  c";
  unsigned file = diagnostics.addSource({"t", text});
  Lexer lexer(diagnostics, file, 0, text.size());
  EXPECT_TRUE(lexer.next().startsLine);
  EXPECT_FALSE(lexer.next().startsLine);
  EXPECT_TRUE(lexer.next().startsLine);
}

TEST(Lexer, UnclosedString) {
  Diagnostics diagnostics;
  lex("let a = \"bc\n", diagnostics);
  EXPECT_EQ(diagnostics.text(),
            "t:1:9: error: expects a closing '\"' on this line\n"
            "let a = \"bc\n"
            "        ^\n");
}

TEST(Lexer, StrayBytesAreNamed) {
  Diagnostics diagnostics;
  lex("\ta @ \x01", diagnostics);
  EXPECT_EQ(diagnostics.text(), "t:1:4: error: '@' has no meaning here\n"
                                "\ta @ ?\n"
                                "\t  ^\n"
                                "t:1:6: error: byte 0x01 has no meaning here\n"
                                "\ta @ ?\n"
                                "\t    ^\n");
}

TEST(Lexer, NumberWithLetters) {
  Diagnostics diagnostics;
  lex("12px", diagnostics);
  EXPECT_EQ(diagnostics.text(),
            "t:1:1: error: '12px' is neither a number nor a name\n"
            "12px\n"
            "^\n");
}
