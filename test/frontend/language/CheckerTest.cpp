// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names, config parameters, shapes, bounds and limits.

#include "test/frontend/language/Describe.h"

using namespace attn::lang;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

//===----------------------------------------------------------------------===//
// Names and config
//===----------------------------------------------------------------------===//

TEST(Checker, NearestFunction) {
  EXPECT_EQ(body("  return linera(x, 4, \"q\")").errors,
            "test.attn:2:10: error: unknown function 'linera', did you mean "
            "'linear'?\n"
            "  return linera(x, 4, \"q\")\n"
            "         ^\n");
}

TEST(Checker, NearestVariable) {
  EXPECT_THAT(body("let hidden = x\nreturn hiden").errors,
              HasSubstr("unknown name 'hiden', did you mean 'hidden'?"));
}

TEST(Checker, NotesShowTheCalls) {
  EXPECT_EQ(describe("block f(x) { return x + nothing }\n"
                     "model m(x: f32[b]) -> (y: f32[b]) { return f(x) }")
                .errors,
            "test.attn:1:25: error: unknown name 'nothing'\n"
            "block f(x) { return x + nothing }\n"
            "                        ^\n"
            "test.attn:2:44: note: in the block called here\n"
            "model m(x: f32[b]) -> (y: f32[b]) { return f(x) }\n"
            "                                           ^\n");
}

static const char *configured =
    "config { hidden_size layers = 2 eps = 1e-5 act = \"gelu\" }\n"
    "model m(x: f32[batch, hidden_size]) -> (y: f32[batch, hidden_size]) {\n"
    "  let y = activation(act, x)\n"
    "  for i in 0..layers within \"layer.{i}\" {\n"
    "    y = layer_norm(linear(y, hidden_size, \"dense\"), \"norm\", eps = "
    "eps)\n"
    "  }\n"
    "  return y\n"
    "}\n";

TEST(Checker, ConfigBindsParameters) {
  std::string ir = describe(configured, R"({"hidden_size": 8, "eps": 0.5,
                                            "act": "relu", "unused": [1]})")
                       .ir;
  EXPECT_THAT(ir, HasSubstr("tensor<?x8xf32>"));
  EXPECT_THAT(ir, HasSubstr("eps 5.000000e-01"));
  EXPECT_THAT(ir, HasSubstr("arith.maximumf"));
  EXPECT_THAT(ir, HasSubstr("\"layer.1.dense.weight\""));
  EXPECT_THAT(ir, HasSubstr("attn.tap = \"layer.1\""));
  EXPECT_THAT(ir, Not(HasSubstr("layer.2")));
}

TEST(Checker, EveryScopeIsTapped) {
  // The outer scope ends with the value of the last inner one, one scope runs
  // twice, and one has the name of an output.
  std::string ir =
      describe("model m(x: f32[batch, 6]) -> (y: f32[batch, 6]) {\n"
               "  let z = x\n"
               "  within \"outer\" {\n"
               "    for i in 0..2 within \"layer.{i}\" { z = gelu(z) }\n"
               "  }\n"
               "  for i in 0..2 within \"shared\" { z = z * 0.5 }\n"
               "  within \"y\" { z = gelu(z) }\n"
               "  return z\n"
               "}\n")
          .ir;
  for (const char *name : {"outer.layer.0", "outer.layer.1", "outer", "shared",
                           "shared.2", "y (scope)"})
    EXPECT_THAT(ir, HasSubstr("attn.tap = \"" + std::string(name) + "\""));
}

TEST(Checker, FunctionsOfNumbers) {
  auto errors = [](const std::string &condition) {
    return describe("require " + condition +
                    "\nmodel m(x: f32[batch, 6]) -> (y: f32[batch, 6]) {\n"
                    "  return x\n}\n")
        .errors;
  };
  for (const char *condition :
       {"sigmoid(0.0) == 0.5", "relu(-2.0) == 0.0 and relu(3.0) == 3.0",
        "abs(silu(1.0) - 0.7310585786300049) < 1e-15",
        "abs(gelu(1.0) - 0.8413447460685429) < 1e-15",
        "abs(gelu_tanh(1.0) - 0.8411919906082768) < 1e-15",
        "abs(quick_gelu(1.0) - 0.8457957659328212) < 1e-15"})
    EXPECT_EQ(errors(condition), "");
  EXPECT_THAT(errors("gelu(1.0) > 0.85"), HasSubstr("error"));
}

TEST(Checker, DefaultsOfKeysMayBeNull) {
  auto errors = [](const std::string &call) {
    return describe("config { rope = null }\n"
                    "require get(" +
                        call +
                        ") == null\n"
                        "model m(x: f32[batch, 6]) -> (y: f32[batch, 6]) {\n"
                        "  return x\n}\n",
                    R"({"rope": {"factor": null}})")
        .errors;
  };
  EXPECT_EQ(errors("rope, \"factor\", null"), "");
  EXPECT_EQ(errors("rope, \"theta\", null"), "");
  EXPECT_THAT(errors("rope, \"theta\""),
              HasSubstr("config key 'theta' is missing"));
}

TEST(Checker, MissingConfigKeyNamesTheNearest) {
  EXPECT_EQ(describe(configured, R"({"hiden_size": 8})").errors,
            "test.attn:1:10: error: config key 'hidden_size' is missing, did "
            "you mean 'hiden_size'?\n"
            "config { hidden_size layers = 2 eps = 1e-5 act = \"gelu\" }\n"
            "         ^\n");
}

TEST(Checker, SizesAndEpsilonsHaveBounds) {
  EXPECT_THAT(describe(configured, R"({"hidden_size": 1000000000000})").errors,
              HasSubstr("expects 'hidden_size' to be a dimension from 1 to "
                        "2147483648, but got"));
  EXPECT_THAT(
      describe(configured, R"({"hidden_size": 8, "eps": 1e999})").errors,
      HasSubstr("a finite number that is not negative"));
}

TEST(Checker, NullTakesTheDefault) {
  EXPECT_THAT(describe(configured, R"({"hidden_size": 8, "layers": null})").ir,
              HasSubstr("layer.1"));
}

/// What the configured model says to a config, of which a tool knows places.
static std::string configErrors(llvm::StringRef config) {
  BuildOptions options;
  options.configPlace = [](llvm::StringRef key) {
    return "dir/config.json:7:3(" + key.str() + ")";
  };
  return describe(configured, config, options).errors;
}

TEST(Checker, ConfigOfTheWrongKindIsReportedThere) {
  EXPECT_THAT(configErrors(R"({"hidden_size": "8"})"),
              StartsWith("dir/config.json:7:3(hidden_size): error: expects "
                         "'hidden_size' to be a dimension from 1 to "
                         "2147483648, but got the string \"8\"\n"
                         "test.attn:2:"));
  EXPECT_THAT(configErrors(R"({"hidden_size": 8, "layers": 1.5})"),
              StartsWith("dir/config.json:7:3(layers): error: expects 'layers' "
                         "to be a whole number known when compiling, but got "
                         "the number 1.5\n"));
  EXPECT_THAT(configErrors(R"({"hidden_size": -8})"),
              HasSubstr("but got the number -8\n"));
  EXPECT_THAT(configErrors(R"({"hidden_size": 8, "eps": "small"})"),
              StartsWith("dir/config.json:7:3(eps): error: expects 'eps' to be "
                         "a number known when compiling, but got the string "
                         "\"small\"\n"));
  EXPECT_THAT(configErrors(R"({"hidden_size": 8, "act": [1]})"),
              HasSubstr("expects 'act' to be a string, but got a JSON array"));
}

TEST(Checker, ConfigUsedInArithmeticOrAsACondition) {
  auto errors = [](const std::string &use, llvm::StringRef config) {
    return describe("config \"args\" { size, flag = true }\n"
                    "model m(x: f32[b]) -> (y: f32[b]) { " +
                        use + "\nreturn x }",
                    config)
        .errors;
  };
  EXPECT_THAT(
      errors("let y = 2 * size", R"({"args": {"size": "2"}})"),
      StartsWith("config.json: error: expects 'size' to be a number, but got "
                 "the string \"2\"\ntest.attn:2:47: note: used here"));
  EXPECT_THAT(errors("let y = size % 2", R"({"args": {"size": 2.5}})"),
              HasSubstr("expects 'size' to be a whole number, but got"));
  for (const char *use : {"if flag { return x }", "let y = not flag",
                          "let y = flag ? x : x", "let y = flag and true"})
    EXPECT_THAT(errors(use, R"({"args": {"flag": "no"}})"),
                HasSubstr("expects 'flag' to be a condition"))
        << use;
}

TEST(Checker, UnknownActivationListsThem) {
  EXPECT_THAT(
      describe(configured, R"({"hidden_size": 8, "act": "mish"})").errors,
      HasSubstr("unknown activation \"mish\"; there are gelu, "));
}

static std::string sizeFrom(const std::string &expression,
                            const std::string &config) {
  Described d = describe("config { inner = null }\n"
                         "model m(x: f32[4]) -> (y: f32[" +
                             expression +
                             "]) {\n"
                             "  return full([" +
                             expression + "], 0)\n}",
                         config);
  return d.errors.empty() ? d.ir : d.errors;
}

TEST(Checker, GetReadsObjectsOfConfig) {
  const char *size = "get(inner, \"size\", 7)";
  EXPECT_THAT(sizeFrom(size, R"({"inner": {"size": 5}})"),
              HasSubstr("tensor<5xf32>"));
  for (const char *config :
       {"{}", R"({"inner": {}})", R"({"inner": {"size": null}})"})
    EXPECT_THAT(sizeFrom(size, config), HasSubstr("tensor<7xf32>")) << config;
  EXPECT_THAT(sizeFrom("get(inner, \"size\")", "{}"),
              HasSubstr("config key 'size' is missing"));
  EXPECT_THAT(sizeFrom(size, R"({"inner": [5]})"),
              HasSubstr("expects 'inner' to be a JSON object or null"));
}

TEST(Checker, WholePartOfANumber) {
  EXPECT_THAT(sizeFrom("i64(2.9 * 3)", "{}"), HasSubstr("tensor<8xf32>"));
}

TEST(Checker, WholePartsOfATensor) {
  std::string ir = body("return f32(i64(x))").ir;
  EXPECT_THAT(ir, HasSubstr("arith.fptosi"));
  // Out of range, a conversion has no value of its own.
  EXPECT_THAT(ir, HasSubstr("arith.maxnumf"));
}

TEST(Checker, NoTensorIsNull) {
  EXPECT_THAT(body("return x == null ? -x : x + x").ir,
              HasSubstr("arith.addf"));
  EXPECT_THAT(body("let y = null\nreturn null != y ? y : x").errors, "");
}

TEST(Checker, RequirementOnConfig) {
  Described d =
      describe("config { kind = \"absolute\" }\n"
               "require kind == \"absolute\", \"kind {kind} is new\"\n"
               "model m(x: f32[b]) -> (y: f32[b]) { return x }",
               R"({"kind": "relative"})");
  EXPECT_THAT(d.errors,
              HasSubstr("test.attn:2:1: error: kind relative is new"));
}

TEST(Checker, BlockDefaults) {
  EXPECT_THAT(
      describe("block f(x, n = 2, m = n + 1) { return x * m }\n"
               "model m(x: f32[b]) -> (y: f32[b]) { return f(x, n = 4) }")
          .ir,
      HasSubstr("arith.constant 5.000000e+00"));
  EXPECT_THAT(
      describe("block f(x, n) { return x }\n"
               "model m(x: f32[b]) -> (y: f32[b]) { return f(x, k = 4) }")
          .errors,
      HasSubstr("block 'f' has no parameter 'k'"));
}

TEST(Checker, GlobalCycle) {
  EXPECT_THAT(describe("let a = b\nlet b = a\n"
                       "model m(x: f32[n, a]) -> (y: f32[n]) { return x }")
                  .errors,
              HasSubstr("'a' is defined by itself"));
}

TEST(Checker, MisspeltDimension) {
  EXPECT_THAT(describe("config { hidden_size }\n"
                       "model m(x: f32[b, hiden_size]) -> (y: f32[b]) { return "
                       "x }",
                       R"({"hidden_size": 2})")
                  .errors,
              HasSubstr("unknown dimension 'hiden_size', did you mean "
                        "'hidden_size'?"));
}

TEST(Checker, NamesAreDefinedOnce) {
  EXPECT_EQ(describe("config { n = 2 }\nlet n = 3\n"
                     "model m(x: f32[b, n]) -> (y: f32[b, n]) { return x }")
                .errors,
            "test.attn:2:5: error: 'n' is defined already\n"
            "let n = 3\n"
            "    ^\n"
            "test.attn:1:10: note: here\n"
            "config { n = 2 }\n"
            "         ^\n");
  EXPECT_THAT(describe("block f(x) { return x }\nblock f(y) { return y }\n"
                       "model m(x: f32[b]) -> (y: f32[b]) { return x }")
                  .errors,
              HasSubstr("'f' is defined already"));
}

TEST(Checker, ChoosesAModel) {
  std::string two = "model a(x: f32[n]) -> (y: f32[n]) { return x }\n"
                    "model b(x: f32[n]) -> (y: f32[n]) { return x }\n";
  EXPECT_THAT(describe(two).errors,
              HasSubstr("several entries, model 'a', model 'b'"));
  BuildOptions options;
  options.model = "b";
  EXPECT_THAT(describe(two, "{}", options).ir, HasSubstr("func.func @b"));
  options.model = "c";
  EXPECT_THAT(describe(two, "{}", options).errors, HasSubstr("no model 'c'"));
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

TEST(Checker, ShapeErrorsNameDimensions) {
  Described d = describe("config { hidden_size, other }\n"
                         "model m(x: f32[batch, hidden_size], y: f32[batch, "
                         "other])\n"
                         "    -> (z: f32[batch, hidden_size]) {\n"
                         "  return x + y\n"
                         "}\n",
                         R"({"hidden_size": 8, "other": 9})");
  EXPECT_EQ(d.errors,
            "test.attn:4:12: error: expects shapes that agree, but got "
            "f32[batch, hidden_size (8)] and f32[batch, other (9)]\n"
            "  return x + y\n"
            "           ^\n");
}

TEST(Checker, DynamicDimensionsDiffer) {
  EXPECT_THAT(describe("model m(x: f32[a, 4], y: f32[b, 4]) -> (z: f32[a, 4]) "
                       "{ return x + y }")
                  .errors,
              HasSubstr("f32[a, 4] and f32[b, 4]"));
}

TEST(Checker, OutputShape) {
  EXPECT_THAT(body("return x[:, 0]").errors,
              HasSubstr("output 'y' is declared as f32[batch, 3, 4], but the "
                        "model returns a tensor f32[batch, 4]"));
}

TEST(Checker, WeightUsedWithTwoShapes) {
  EXPECT_THAT(body("let a = linear(x, 4, \"w\")\nreturn linear(a[:, 0:3], 5, "
                   "\"w\")")
                  .errors,
              HasSubstr("weight 'w.weight' is f32[5, 4] here, but f32[4, 4] "
                        "where it was used before"));
}

TEST(Checker, ScopesEnteredAgainHaveTapsOfTheirOwn) {
  std::string ir = body("let y = x\n"
                        "for i in 0..3 { within \"shared\" { y = linear(y, 4, "
                        "\"up\") } }\n"
                        "return y")
                       .ir;
  for (const char *tap : {"\"shared\"", "\"shared.2\"", "\"shared.3\""})
    EXPECT_THAT(ir, HasSubstr(std::string("attn.tap = ") + tap));
}

TEST(Checker, OnlyScopesOfFloatsHaveTaps) {
  EXPECT_THAT(body("let y = x\n"
                   "within \"a\" { for i in 0..2 { y = y + y } }\n"
                   "return y")
                  .ir,
              Not(HasSubstr("attn.tap = \"a.")));
  EXPECT_THAT(body("let n = ids\n"
                   "within \"a\" { n = n + n }\n"
                   "return x")
                  .ir,
              Not(HasSubstr("attn.tap")));
}

TEST(Checker, WeightOfNoDimensions) {
  EXPECT_THAT(body("return x * exp(weight(\"scale\", []))").ir,
              HasSubstr("attn.weight \"scale\" : tensor<f32>"));
}

TEST(Checker, ScaleOfANormMayBeATensor) {
  std::string ir =
      body("return rms_norm(x, 1 + weight(\"w\", [4]), eps = 0.5)").ir;
  EXPECT_THAT(ir, HasSubstr("attn.rms_norm"));
  EXPECT_THAT(ir, HasSubstr("scale("));
  EXPECT_THAT(body("return rms_norm(x, weight(\"w\", [3]))").errors,
              HasSubstr("expects a scale f32[4], but got f32[3]"));
}

TEST(Checker, DynamicWeight) {
  EXPECT_THAT(body("return weight(\"w\", [sequence, 4])").errors,
              HasSubstr("weight 'w' needs a size known when compiling"));
}

TEST(Checker, Reshape) {
  EXPECT_THAT(
      body("return reshape(reshape(x, [batch * 3, 4]), [batch, 3, 4])").ir,
      HasSubstr("tensor.collapse_shape"));
  EXPECT_THAT(
      body("return reshape(x, [batch, 13])").errors,
      HasSubstr("cannot reshape f32[batch, 3, 4] to f32[batch, 13]: the "
                "number of elements differs"));
  EXPECT_THAT(
      body("return reshape(reshape(x, [2, batch, 6]), [batch, 3, 4])").ir,
      HasSubstr("tensor.expand_shape"));
  EXPECT_THAT(body("return reshape(reshape(x, [1, batch, 1, 12, 1]), [batch, "
                   "3, 4])")
                  .ir,
              HasSubstr("tensor.collapse_shape"));
}

TEST(Checker, Slices) {
  EXPECT_THAT(body("return concat(x[:, 1:], x[:, -3:-2], axis = 1)").ir,
              HasSubstr("tensor.extract_slice"));
  EXPECT_THAT(body("return concat(x, x[0:1], axis = 0)[:-1]").ir,
              HasSubstr("tensor.extract_slice"));
  EXPECT_THAT(body("return concat(x, x[0:1], axis = 0)[:-2]").errors,
              HasSubstr("reaches outside dimension 0"));
  EXPECT_THAT(body("return x[:, 3]").errors,
              HasSubstr("index 3 reaches outside dimension 1, 3"));
  EXPECT_THAT(body("return weight(\"t\", [40, 4])[0:sequence]").errors,
              HasSubstr("index 0:sequence reaches outside dimension 0, 40; a "
                        "'require' can bound it"));
  EXPECT_THAT(
      body("require sequence <= 40\n"
           "return x + sum(weight(\"t\", [40, 4])[0:sequence], axis = 0)")
          .ir,
      HasSubstr("attn.dim_max = {sequence = 40 : i64}"));
}

TEST(Checker, WholeQuotients) {
  EXPECT_THAT(body("return reshape(x, [batch, 7 / 2, 4])").errors,
              HasSubstr("expects a whole quotient, but got 7 / 2"));
  EXPECT_THAT(body("return reshape(x, [batch, floor_div(7, 2), 4])").ir,
              HasSubstr("return"));
}

TEST(Checker, ElementTypes) {
  EXPECT_THAT(body("return where(x, x, x)").errors,
              HasSubstr("cannot combine f32[batch, 3, 4]"));
  EXPECT_THAT(body("return where(x > 0, x, 0)").ir, HasSubstr("arith.select"));
  EXPECT_THAT(body("return x * sum(f32(ids != 1), axis = 1, keep = true)[:, "
                   "0:1] ")
                  .errors,
              HasSubstr("expects shapes that agree"));
  EXPECT_THAT(body("return embedding(x, weight(\"t\", [4, 4]))").errors,
              HasSubstr("expects i64 ids and an f32 table"));
}

TEST(Checker, MeanOverADynamicDimensionCountsOnes) {
  std::string ir = describe("model m(x: f32[n, 4]) -> (y: f32[4]) {\n"
                            "  return mean(x, axis = 0)\n"
                            "}")
                       .ir;
  EXPECT_THAT(ir, HasSubstr("arith.constant 1.000000e+00 : f32"));
  EXPECT_THAT(ir, HasSubstr("arith.divf"));
}

TEST(Checker, NotLoweredSaysSo) {
  EXPECT_THAT(body("return x * dim(x, 0)").errors,
              HasSubstr("dynamic dimension 'batch' is not lowered yet"));
}

//===----------------------------------------------------------------------===//
// Dimensions and optional inputs
//===----------------------------------------------------------------------===//

static const char *masked = "model m(ids: i64[batch, sequence] in 0..9,\n"
                            "        optional mask: i64[batch, sequence] = 1)\n"
                            "    -> (y: f32[batch, sequence]) {\n"
                            "  require sequence <= 16\n"
                            "  return f32(ids * mask)\n"
                            "}\n";

TEST(Checker, SignatureAttributes) {
  std::string ir = describe(masked).ir;
  EXPECT_THAT(ir, HasSubstr("attn.bound = 9 : i64, attn.dims = [\"batch\", "
                            "\"sequence\"], attn.name = \"ids\""));
  EXPECT_THAT(ir, HasSubstr("attn.dim_max = {sequence = 16 : i64}"));
}

TEST(Checker, AbsentInputLeavesTheSignature) {
  BuildOptions options;
  options.absent = {"mask"};
  EXPECT_THAT(describe(masked, "{}", options).ir,
              Not(HasSubstr("attn.name = \"mask\"")));
  options.absent = {"ids"};
  EXPECT_THAT(describe(masked, "{}", options).errors,
              HasSubstr("model 'm' has no optional input 'ids'"));
}

TEST(Checker, AbsentInputMayBeNull) {
  const char *text =
      "model m(x: f32[batch, n], optional y: f32[batch, k] = null)\n"
      "    -> (z: f32[batch, y == null ? n : k]) {\n"
      "  return y == null ? 2 * x : 3 * y\n"
      "}\n";
  EXPECT_THAT(describe(text).ir,
              HasSubstr("attn.dims = [\"batch\", \"k\"], attn.name = \"z\""));
  BuildOptions options;
  options.absent = {"y"};
  EXPECT_THAT(describe(text, "{}", options).ir,
              HasSubstr("attn.dims = [\"batch\", \"n\"], attn.name = \"z\""));
  EXPECT_THAT(describe("model m(x: f32[4], optional y: f32[4] = \"a\") -> (z: "
                       "f32[4]) { return x }",
                       "{}", options)
                  .errors,
              HasSubstr("expects a number or null as default, but got"));
}

TEST(Checker, FixedDimensions) {
  BuildOptions options;
  options.dims["sequence"] = 12;
  EXPECT_THAT(describe(masked, "{}", options).ir,
              HasSubstr("tensor<?x12xi64>"));
  options.dims["sequence"] = 17;
  EXPECT_THAT(describe(masked, "{}", options).errors,
              HasSubstr("requirement is not met: the number sequence (17) <= "
                        "the number 16"));
  options.dims["sequence"] = 0;
  EXPECT_THAT(describe(masked, "{}", options).errors,
              HasSubstr("dimension 'sequence' must be from 1 to"));
  options.dims.clear();
  options.dims["sequense"] = 12;
  EXPECT_THAT(describe(masked, "{}", options).errors,
              HasSubstr("no dimension 'sequense', did you mean "
                        "'sequence'?"));
}

//===----------------------------------------------------------------------===//
// Limits
//===----------------------------------------------------------------------===//

TEST(Limits, Loops) {
  EXPECT_THAT(
      body("let y = x\nfor i in 0..5000 { y = y + 1 }\nreturn y").errors,
      HasSubstr("loops 5000 times; at most 4096 are unrolled"));
  EXPECT_THAT(body("for i in 0..sequence { }\nreturn x").errors,
              HasSubstr("expects a whole number known when compiling, but got "
                        "the dimension sequence"));
}

TEST(Limits, Operations) {
  EXPECT_THAT(
      body("let y = x\nfor i in 0..4096 { for j in 0..4096 { y = y + 1 + "
           "1 + 1 + 1 + 1 + 1 } }\nreturn y")
          .errors,
      HasSubstr("makes more than 100000 operations"));
}

TEST(Limits, Steps) {
  EXPECT_THAT(body("let n = 0\nfor i in 0..4096 { for j in 0..4096 { n = n + 1 "
                   "} }\nreturn x")
                  .errors,
              HasSubstr("takes more than 200000 steps to unroll"));
}

TEST(Limits, Lists) {
  EXPECT_THAT(
      body("let a = [1, 2]\nfor i in 0..50 { a = [a, a] }\nreturn x").errors,
      HasSubstr("makes a list of more than 256 values"));
}

TEST(Limits, Recursion) {
  EXPECT_THAT(describe("block f(x) { return f(x) }\n"
                       "model m(x: f32[b]) -> (y: f32[b]) { return f(x) }")
                  .errors,
              HasSubstr("blocks call each other deeper than 64 levels"));
}

TEST(Limits, Sizes) {
  EXPECT_THAT(body("return weight(\"w\", [2000000000, 2000000000])").errors,
              HasSubstr("makes a tensor of more than 2^40 elements"));
  EXPECT_THAT(body("return expand(x, [9223372036854775807, 2, 4])").errors,
              HasSubstr("error"));
  EXPECT_THAT(body("let n = 9223372036854775807 + 1\nreturn x").errors,
              HasSubstr("does not fit in 64 bits"));
  EXPECT_THAT(body("return split(x, 0)").errors,
              HasSubstr("'split' expects a size of at least 1 as 'parts'"));
}

//===----------------------------------------------------------------------===//
// Locations
//===----------------------------------------------------------------------===//

TEST(Checker, OperationsKnowTheirPlace) {
  BuildOptions options;
  std::string errors;
  mlir::MLIRContext context;
  auto module = buildModel(&context,
                           {"place.attn",
                            "block f(x) {\n  return tanh(x)\n}\n"
                            "model m(x: f32[b]) -> (y: f32[b]) { return f(x) "
                            "}\n"},
                           options, errors);
  ASSERT_TRUE(module) << errors;
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, mlir::OpPrintingFlags().enableDebugInfo(true));
  EXPECT_THAT(text, HasSubstr("loc(\"place.attn\":2:10)"));
}
