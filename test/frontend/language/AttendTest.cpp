// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Score programs: the forms of docs/language.md and what is refused.

#include "test/frontend/language/Describe.h"

using namespace attn::lang;
using testing::HasSubstr;
using testing::Not;

/// A model that returns attend(q, k, v) followed by `program`.
static Described attend(const std::string &program,
                        const std::string &statements = "") {
  return describe(
      "model m(q: f32[batch, 4, m, 16], k: f32[batch, 2, n, 16],\n"
      "        v: f32[batch, 2, n, 8], mask: i64[batch, n], x: f32[4, m, n],\n"
      "        region: i64[m], rel: i64[m, n])\n"
      "    -> (y: f32[batch, 4, m, 8]) {\n" +
      statements + "\n  return attend(q, k, v" + program + "\n}\n");
}

TEST(Attend, DefaultScoreIsScaledDot) {
  std::string ir = attend(")").ir;
  EXPECT_THAT(ir, HasSubstr("attn.dot"));
  EXPECT_THAT(ir, HasSubstr("arith.constant 2.500000e-01 : f32"));
  EXPECT_THAT(ir, Not(HasSubstr("keep")));
  EXPECT_THAT(attend(", scale = 3)").ir, HasSubstr("3.000000e+00"));
}

TEST(Attend, EveryDocumentedForm) {
  std::string weights = "let d = 16\n"
                        "let slope = weight(\"slope\", [4])\n"
                        "let w_v = weight(\"w_v\", [16])\n"
                        "let w = weight(\"w\", [1])\n"
                        "let bias = weight(\"bias\", [4, 100])\n";
  for (const char *program : {
           "score = dot / sqrt(d) - slope[h] * abs(i - j)",
           "score = 30 * tanh(dot / sqrt(d) / 30)",
           "score = sum(w_v * tanh(q + k))",
           "score = -w * w * sum((q - k)^2) / 2",
           "keep = j <= i + N - M",
           "keep = j < mask[b, 0]",
           "keep = mask[b, j] != 0 and j >= i - 5",
           "score = dot + bias[h, rel[i, j]]; keep = region[i] != rel[i, j]",
           "score = dot + x[h, i, j]",
           "let r = i - j; score = where(r > 0, dot, f32(r))",
           "weight = normalized * slope[h]",
           "score = gelu(dot) + floor_div(i, 2) % 3",
       }) {
    Described d = attend(") { " + std::string(program) + " }", weights);
    EXPECT_THAT(d.ir, HasSubstr("attn.attention")) << program << "\n"
                                                   << d.errors;
  }
}

TEST(Attend, KeepReadsACapture) {
  std::string ir = attend(") { keep = mask[b, j] != 0 }").ir;
  EXPECT_THAT(ir, HasSubstr("captures("));
  EXPECT_THAT(ir, HasSubstr("tensor.extract"));
  EXPECT_THAT(ir, HasSubstr("arith.cmpi ne"));
}

TEST(Attend, PositionsStayIndices) {
  EXPECT_THAT(attend(") { keep = j <= i + N - M }").ir,
              HasSubstr("arith.cmpi sle, %arg12, %"));
  EXPECT_THAT(attend(") { keep = j <= i + N - M }").ir,
              Not(HasSubstr("arith.index_cast")));
}

TEST(Attend, AbsentMaskKeepsAll) {
  BuildOptions options;
  options.absent = {"mask"};
  std::string ir =
      describe("model m(q: f32[b0, 4, s, 16], optional mask: i64[b0, s] = 1)\n"
               "    -> (y: f32[b0, 4, s, 16]) {\n"
               "  return attend(q, q, q) { keep = mask[b, j] != 0 }\n}",
               "{}", options)
          .ir;
  EXPECT_THAT(ir, HasSubstr("attn.attention"));
  EXPECT_THAT(ir, Not(HasSubstr("keep")));
  EXPECT_THAT(ir, Not(HasSubstr("captures")));
}

TEST(Attend, Options) {
  EXPECT_THAT(attend(", normalizer = \"sigmoid\")").ir,
              HasSubstr("normalizer(sigmoid)"));
  EXPECT_THAT(attend(", sink = weight(\"sink\", [4]))").ir, HasSubstr("sink("));
  EXPECT_THAT(attend(", weights = null)").ir, Not(HasSubstr("weights tensor")));
  EXPECT_THAT(attend(", weights = \"mean\")[0]").ir,
              HasSubstr("weights tensor<?x?x?xf32>"));
  EXPECT_THAT(attend(", weights = \"heads\", logsumexp = true)[0]").ir,
              HasSubstr("logsumexp tensor<?x4x?xf32>"));
  EXPECT_THAT(attend(", normalizer = \"max\")").errors,
              HasSubstr("attend expects \"softmax\", \"sigmoid\" or \"sum\" as "
                        "'normalizer', but got the string \"max\""));
  EXPECT_THAT(attend(", normalizer = \"sum\", logsumexp = true)").errors,
              HasSubstr("go with the softmax normalizer only"));
}

TEST(Attend, SeveralPairs) {
  std::string text = "model m(q: f32[b0, 4, s, 16], r: f32[b0, 4, s, 8])\n"
                     "    -> (y: f32[b0, 4, s, 16]) {\n"
                     "  return attend([q, r], [q, r], q)%s\n}";
  auto with = [&](const std::string &program) {
    std::string full = text;
    return describe(full.replace(full.find("%s"), 2, program));
  };
  EXPECT_THAT(with(" { score = (dot[0] + dot[1]) / 4 }").ir,
              HasSubstr("attn.dot"));
  EXPECT_THAT(with("").errors, HasSubstr("several pairs need a score program"));
}

TEST(Attend, Refusals) {
  EXPECT_THAT(attend(") { keep = mask[b, i] != 0 }").errors,
              HasSubstr("'i' runs over m, but dimension 1 of i64[batch, n] is "
                        "n"));
  EXPECT_THAT(attend(") { keep = dot }").errors,
              HasSubstr("expects 'keep' to be one condition, but got a value "
                        "f32"));
  EXPECT_THAT(attend(") { score = q + k }").errors,
              HasSubstr("expects 'score' to be one number, but got a value "
                        "f32[16]"));
  EXPECT_THAT(attend(") { scor = dot }").errors,
              HasSubstr("expects score, keep or weight before '=', but got "
                        "'scor'"));
  EXPECT_THAT(attend(") { score = linear(q, 4, \"w\") }").errors,
              HasSubstr("'linear' is not available in a score program"));
  EXPECT_THAT(attend(") { score = dot + x }").errors,
              HasSubstr("expects one element or a vector of f32[4, m, n]"));
  EXPECT_THAT(attend(") { score = dot score = dot }").errors,
              HasSubstr("'score' is given twice"));
  EXPECT_THAT(attend(", scale = 2) { score = dot }").errors,
              HasSubstr("'scale' goes without a score program"));
}

TEST(Attend, ShapesAreChecked) {
  EXPECT_THAT(
      describe("model m(q: f32[b, 4, s, 16], k: f32[b, 3, s, 16])\n"
               "    -> (y: f32[b, 4, s, 16]) { return attend(q, k, k) }")
          .errors,
      HasSubstr("where g divides h, but got f32[b, 4, s, 16], f32[b, 3, "
                "s, 16] and f32[b, 3, s, 16]"));
}

TEST(Attend, HeadsMayBeDynamic) {
  EXPECT_THAT(describe("model m(q: f32[b0, heads, s, 16], slope: f32[heads])\n"
                       "    -> (y: f32[b0, heads, s, 16]) {\n"
                       "  return attend(q, q, q) { score = dot * slope[h] }\n}")
                  .ir,
              HasSubstr("-> tensor<?x?x?x16xf32>"));
  EXPECT_THAT(describe("model m(q: f32[b0, heads, s, 16], k: f32[b0, groups, "
                       "s, 16])\n"
                       "    -> (y: f32[b0, heads, s, 16]) {\n"
                       "  return attend(q, k, k)\n}")
                  .errors,
              HasSubstr("where g divides h"));
}

TEST(Attend, ProgramLoopsAreUnrolled) {
  std::string ir = attend(") {\n"
                          "  let total = f32(0)\n"
                          "  for u in 0..3 { let x = q * f32(u)\n"
                          "    total = total + sum(x * k) }\n"
                          "  score = total\n"
                          "}")
                       .ir;
  EXPECT_EQ(llvm::StringRef(ir).count("attn.sum"), 3u);
  EXPECT_THAT(attend(") { for u in 0..3 { let z = dot } score = z }").errors,
              HasSubstr("unknown name 'z'"));
  EXPECT_THAT(attend(") { for u in 0..N { score = dot } }").errors,
              HasSubstr("expects a whole number known when compiling"));
  EXPECT_THAT(attend(") { dot = q }").errors,
              HasSubstr("expects score, keep or weight before '='"));
}

TEST(Attend, IndicesThatMayReachOutsideAreTakenInside) {
  // Of region[m], the last row is the size less one.
  std::string ir = attend(") { keep = region[i + 1] == rel[i, j] }").ir;
  EXPECT_THAT(ir, HasSubstr("tensor.dim"));
  EXPECT_THAT(ir, HasSubstr("arith.maxsi"));
  EXPECT_THAT(ir, HasSubstr("arith.minsi"));
  EXPECT_THAT(attend(") { keep = region[i] == rel[i, j] }").ir,
              Not(HasSubstr("arith.minsi")));
}

TEST(Attend, BoundedInputsAreIndicesAsTheyAre) {
  std::string text = "model m(q: f32[b0, 4, s, 16], rel: i64[s, s] in 0..9,\n"
                     "        bias: f32[SIZE, 4]) -> (y: f32[b0, 4, s, 16]) {\n"
                     "  return attend(q, q, q) { score = dot + bias[rel[i, j], "
                     "h] }\n}";
  auto with = [&](const std::string &size) {
    std::string full = text;
    return describe(full.replace(full.find("SIZE"), 4, size)).ir;
  };
  EXPECT_THAT(with("9"), Not(HasSubstr("arith.minsi")));
  EXPECT_THAT(with("8"), HasSubstr("arith.minsi"));
  EXPECT_THAT(with("n"), HasSubstr("arith.minsi"));
}
