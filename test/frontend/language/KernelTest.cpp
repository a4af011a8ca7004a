// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels: entries of a description without config.json and weights.

#include "test/frontend/language/Describe.h"

using namespace attn::lang;
using testing::HasSubstr;

static const char *const twoKernels =
    "config { cap = 30 }\n"
    "block heads(x) { return split_heads(x, 2) }\n"
    "kernel alibi(q: f32[b0, h0, m, 16], slope: f32[2]) -> (y: f32[b0, h0, m, "
    "16]) { return q }\n"
    "kernel softcap(x: f32[batch, m, 8]) -> (y: f32[batch, 2, m, 4]) {\n"
    "  let q = heads(x)\n"
    "  return attend(q, q, q) { score = cap * tanh(dot / cap) }\n"
    "}\n";

static Described kernel(const std::string &name,
                        llvm::StringRef text = twoKernels) {
  BuildOptions options;
  options.kernel = name;
  return describe(text, "{}", options);
}

TEST(Kernel, IsBuiltByName) {
  EXPECT_THAT(kernel("softcap").ir, HasSubstr("func.func @softcap"));
  EXPECT_THAT(kernel("alibi").ir, HasSubstr("func.func @alibi"));
  BuildOptions entry;
  entry.model = "alibi";
  EXPECT_THAT(describe(twoKernels, "{}", entry).ir,
              HasSubstr("func.func @alibi"));
}

TEST(Kernel, TheOnlyEntryNeedsNoName) {
  EXPECT_THAT(
      describe("kernel k(x: f32[n, 4]) -> (y: f32[n, 4]) { return -x }").ir,
      HasSubstr("func.func @k"));
}

TEST(Kernel, SeveralAreListed) {
  EXPECT_THAT(describe(twoKernels).errors,
              HasSubstr("the description has several entries, kernel 'alibi', "
                        "kernel 'softcap': name one"));
  EXPECT_THAT(kernel("soft_cap").errors,
              HasSubstr("no kernel 'soft_cap', did you mean 'softcap'? The "
                        "description has kernel 'alibi', kernel 'softcap'"));
}

TEST(Kernel, AModelIsNone) {
  std::string model =
      "model m(x: f32[n, 4]) -> (y: f32[n, 4]) { return x + 1 }\n";
  EXPECT_THAT(kernel("m", model).errors,
              HasSubstr("the description has no kernel"));
  EXPECT_THAT(kernel("m", model + twoKernels).errors,
              HasSubstr("no kernel 'm'"));
}

TEST(Kernel, ReadsNoWeights) {
  EXPECT_THAT(
      describe("kernel k(x: f32[n, 4]) -> (y: f32[n, 4]) {\n"
               "  within \"a\" { let y = linear(x, 4, \"up\")\n return y }\n}")
          .errors,
      HasSubstr("2:24: error: kernel 'k' reads no weights: make 'a.up.weight' "
                "an input"));
}

TEST(Kernel, TakesNoConfig) {
  const char *text = "config { width }\n"
                     "kernel k(x: f32[n, width]) -> (y: f32[n, width]) { "
                     "return x }";
  EXPECT_THAT(describe(text).errors,
              HasSubstr("test.attn:1:10: error: kernel 'k' takes no "
                        "config.json: parameter 'width' needs a default"));
  EXPECT_THAT(describe(text, "{\"width\": 4}").errors,
              HasSubstr("kernel 'k' takes no config.json"));
}

TEST(Kernel, ParametersAreBoundLikeDimensions) {
  BuildOptions options;
  options.dims["width"] = 8;
  const char *text = "config { width = 4, twice = 2 * width }\n"
                     "kernel k(x: f32[n, twice]) -> (y: f32[n, twice]) { "
                     "return -x }";
  EXPECT_THAT(describe(text, "{}", options).ir, HasSubstr("tensor<?x16xf32>"));
  EXPECT_THAT(describe(text).ir, HasSubstr("tensor<?x8xf32>"));
  options.dims["wide"] = 8;
  EXPECT_THAT(describe(text, "{}", options).errors,
              HasSubstr("kernel 'k' has no dimension 'wide'"));
}

TEST(Kernel, IsNoReservedWord) {
  EXPECT_THAT(describe("let kernel = 3\n"
                       "kernel kernel(x: f32[n, kernel]) -> (y: f32[n, 3]) "
                       "{ let kernel = x\n return kernel }")
                  .ir,
              HasSubstr("func.func @kernel"));
}

TEST(Kernel, ErrorsPointIntoTheScore) {
  EXPECT_THAT(
      describe("kernel k(q: f32[b0, 2, m, 8]) -> (y: f32[b0, 2, m, 8]) {\n"
               "  return attend(q, q, q) {\n"
               "    score = dot * slope[h]\n"
               "  }\n}")
          .errors,
      HasSubstr("test.attn:3:19: error: unknown name 'slope'\n"
                "    score = dot * slope[h]\n"
                "                  ^"));
}

TEST(Kernel, SyntaxErrorsRecoverAtTheNext) {
  Described d = describe("kernel a(x: f32[n, 4]) (y: f32[n, 4]) { return x }\n"
                         "kernel b(x: f32[n, 4]) -> y: f32[n, 4] { return x }");
  EXPECT_THAT(d.errors, HasSubstr("1:24: error: expects '->' before the "
                                  "kernel's outputs, but got '('"));
  EXPECT_THAT(d.errors, HasSubstr("2:27: error: expects '(' before the "
                                  "outputs, but got name 'y'"));
}
