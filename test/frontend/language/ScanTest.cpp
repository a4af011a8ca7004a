// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recurrences: what is carried, what is stacked, and the errors of both.

#include "test/frontend/language/Describe.h"

using namespace attn::lang;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A model of x [batch, steps, 4] and h [batch, 8] that gives one tensor.
static Described scanning(const std::string &type,
                          const std::string &statements) {
  return describe("model m(x: f32[batch, steps, 4], h: f32[batch, 8],\n"
                  "        n: f32[batch, other, 4]) -> (y: " +
                  type + ") {\n" + statements + "\n}\n");
}

TEST(Scan, CarriesWhatTheBodyAssigns) {
  Described model =
      scanning("f32[batch, 8]", "let s = h\n"
                                "scan x_t in x along 1 {\n"
                                "  s = tanh(linear(x_t, 8, \"w\") + s)\n"
                                "}\n"
                                "return s");
  EXPECT_EQ(model.errors, "");
  EXPECT_THAT(model.ir, HasSubstr("permutation = [1, 0, 2]"));
  EXPECT_THAT(model.ir, HasSubstr("attn.scan carry(%arg1 : tensor<?x8xf32>) "
                                  "over("));
  EXPECT_THAT(model.ir, HasSubstr("^bb0(%arg3: tensor<?x8xf32>, "
                                  "%arg4: tensor<?x4xf32>)"));
  // Weights are the same in every step.
  EXPECT_LT(model.ir.find("attn.weight \"w.weight\""),
            model.ir.find("attn.scan"));
}

TEST(Scan, StacksWhatTheBodyReturns) {
  Described model = scanning("f32[batch, steps, 4]",
                             "let y = scan x_t in x along 1 reversed {\n"
                             "  return exp(x_t)\n"
                             "}\n"
                             "return y");
  EXPECT_EQ(model.errors, "");
  EXPECT_THAT(model.ir, HasSubstr("attn.scan over("));
  EXPECT_THAT(model.ir, HasSubstr("tensor<?x?x4xf32>) reversed {"));
}

TEST(Scan, CarriesLists) {
  Described model = scanning(
      "f32[batch, 8]", "let states = [h, 2 * h]\n"
                       "scan x_t in x along 1 {\n"
                       "  let next = []\n"
                       "  for l in 0..2 { next = append(next, -states[l]) }\n"
                       "  states = next\n"
                       "}\n"
                       "return states[1]");
  EXPECT_EQ(model.errors, "");
  EXPECT_THAT(model.ir, HasSubstr("tensor<?x8xf32>, tensor<?x8xf32>) over("));
}

TEST(Scan, ScansInScans) {
  Described model =
      scanning("f32[batch, 8]", "let s = h\n"
                                "scan x_t in x along 1 {\n"
                                "  scan n_t in n along 1 {\n"
                                "    s = s + linear(x_t * n_t, 8, \"w\")\n"
                                "  }\n"
                                "}\n"
                                "return s");
  EXPECT_EQ(model.errors, "");
}

TEST(Scan, NamesOfTheBodyEndWithIt) {
  EXPECT_THAT(scanning("f32[batch, 8]",
                       "scan x_t in x along 1 { let a = x_t }\n"
                       "return a")
                  .errors,
              HasSubstr("unknown name 'a'"));
  EXPECT_THAT(scanning("f32[batch, 8]",
                       "scan x_t in x along 1 { let a = x_t }\n"
                       "return x_t")
                  .errors,
              HasSubstr("unknown name 'x_t'"));
}

TEST(Scan, WordIsANameElsewhere) {
  EXPECT_EQ(scanning("f32[batch, 8]", "let scan = h\nlet along = scan\n"
                                      "scan = along\nreturn scan")
                .errors,
            "");
}

TEST(Scan, CarriedValueKeepsItsType) {
  EXPECT_EQ(scanning("f32[batch, 8]", "let s = h\n"
                                      "scan x_t in x along 1 {\n"
                                      "  s = x_t\n"
                                      "}\n"
                                      "return s")
                .errors,
            "test.attn:4:6: error: expects 's', which the scan carries, to "
            "stay f32[batch, 8], but a step makes it f32[batch, 4]\n"
            "scan x_t in x along 1 {\n"
            "     ^\n");
  EXPECT_THAT(scanning("f32[batch, 8]", "let s = [h, h]\n"
                                        "scan x_t in x along 1 { s = [h] }\n"
                                        "return s[0]")
                  .errors,
              HasSubstr("expects 's', which the scan carries, to stay a list "
                        "of 2 values, but a step makes it a list of 1 "
                        "values"));
}

TEST(Scan, CarriedValueIsATensor) {
  EXPECT_THAT(scanning("f32[batch, 8]", "let s = 0\n"
                                        "scan x_t in x along 1 { s = s + 1 }\n"
                                        "return h")
                  .errors,
              HasSubstr("expects a tensor, or a list of tensors, as the first "
                        "value of 's', which the scan carries from step to "
                        "step, but got the number s (0)"));
}

TEST(Scan, InputsHaveEqualSteps) {
  EXPECT_THAT(scanning("f32[batch, 8]",
                       "scan x_t in x along 1, n_t in n along 1 { }\n"
                       "return h")
                  .errors,
              HasSubstr("expects as many steps as the first input has, steps, "
                        "but dimension 1 of 'n_t' in f32[batch, other, 4] is "
                        "other"));
}

TEST(Scan, InputsAreTensorsAlongADimension) {
  EXPECT_THAT(scanning("f32[batch, 8]", "scan a in 3 { }\nreturn h").errors,
              HasSubstr("expects a tensor of two dimensions or more to scan, "
                        "but got the number 3"));
  EXPECT_THAT(
      scanning("f32[batch, 8]", "scan a in x along 3 { }\nreturn h").errors,
      HasSubstr("expects a dimension of f32[batch, steps, 4] after 'along', "
                "but got the number 3"));
  EXPECT_THAT(
      scanning("f32[batch, 8]", "scan a in x, a in x { }\nreturn h").errors,
      HasSubstr("'a' is the step of two inputs"));
}

TEST(Scan, OutputsHaveNames) {
  EXPECT_THAT(scanning("f32[batch, 8]",
                       "scan x_t in x along 1 { return x_t }\nreturn h")
                  .errors,
              HasSubstr("expects a name for what the scan returns: 'let y = "
                        "scan ...'"));
  EXPECT_THAT(scanning("f32[batch, 8]",
                       "let y = scan x_t in x along 1 { let a = x_t }\n"
                       "return h")
                  .errors,
              HasSubstr("expects a scan that returns what it makes in every "
                        "step"));
  EXPECT_THAT(scanning("f32[batch, 8]",
                       "let y = scan x_t in x along 1 { return 3 }\nreturn h")
                  .errors,
              HasSubstr("expects a tensor of 1 dimensions or more from every "
                        "step to stack along dimension 1, but got the number "
                        "3"));
}

TEST(Scan, StandsOutsideScorePrograms) {
  EXPECT_THAT(
      describe("kernel k(q: f32[b, 1, m, 4]) -> (y: f32[b, 1, m, 4]) {\n"
               "  return attend(q, q, q) { score = scan a in q { "
               "return a } }\n}")
          .errors,
      HasSubstr("a scan cannot stand in a score program"));
}

TEST(Scan, SyntaxTellsWhatIsExpected) {
  EXPECT_THAT(scanning("f32[batch, 8]", "scan x_t of x { }\nreturn h").errors,
              HasSubstr("expects 'in' after the name of one step, but got name "
                        "'of'"));
  EXPECT_THAT(
      scanning("f32[batch, 8]", "scan x_t in x backwards { }\nreturn h").errors,
      HasSubstr("expects 'along', 'reversed' or '{' in a scan, but got name "
                "'backwards'"));
}

/// The reference has one value for a name, the body one for each step.
TEST(Scan, BodiesHaveNoTaps) {
  std::string ir = scanning("f32[batch, 8]", "let s = h\n"
                                             "within \"outer\" {\n"
                                             "  scan x_t in x along 1 {\n"
                                             "    within \"inner\" { s = -s }\n"
                                             "  }\n"
                                             "}\n"
                                             "return s")
                       .ir;
  EXPECT_THAT(ir, HasSubstr("attn.tap = \"outer\""));
  EXPECT_THAT(ir, Not(HasSubstr("inner")));
}

/// A size that the body is the first to need is there behind it, too.
TEST(Scan, SizesStandInFrontOfTheScan) {
  Described model = scanning(
      "f32[batch, 8]", "let s = h\n"
                       "scan x_t in x along 1 {\n"
                       "  let a = exp(full([dim(x, 0), 2 * dim(x, 1)], 1))\n"
                       "  s = s + sum(a, axis = 1, keep = true)\n"
                       "}\n"
                       "let b = exp(full([dim(x, 0), 2 * dim(x, 1)], 2))\n"
                       "return s + sum(b, axis = 1, keep = true)");
  EXPECT_EQ(model.errors, "");
  EXPECT_LT(model.ir.find("arith.muli"), model.ir.find("attn.scan"));
}
