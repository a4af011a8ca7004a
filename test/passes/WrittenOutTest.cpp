// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention written out in the language, in the ways that models do: each is
// raised and keeps its values.

#include "frontend/language/Language.h"
#include "test/passes/Evaluation.h"

using namespace mlir;
using namespace attn::test;

namespace {

struct Case {
  const char *name;
  /// Inputs beside q [batch, 4, m, 8], k [batch, 4, n, 8] and v [batch, 4, n,
  /// 6].
  const char *inputs;
  /// What gives the result, [batch, 4, m, 6].
  const char *body;
  const char *normalizer = "softmax";
  bool hasKeep = false;
  /// How many attentions, and how many maps besides: what does not depend on
  /// rows and columns alike is computed once, before.
  unsigned attentions = 1, maps = 0;
};

constexpr const char *kScores =
    "let b = batch\n"
    "let s = matmul(q, k, transpose_b = true) / sqrt(8.0)\n"
    "let i = iota([m, n], 0) let j = iota([m, n], 1)\n";

std::string describe(const Case &c) {
  return std::string("model M(q: f32[batch, 4, m, 8], k: f32[batch, 4, n, 8], "
                     "v: f32[batch, 4, n, 6]") +
         c.inputs + ") -> (y: f32[batch, 4, m, 6]) {\n" + kScores + c.body +
         "\n}\n";
}

/// Sizes of the dynamic dimensions of each argument: distinct ones, so that
/// none is taken for another.
SmallVector<SmallVector<int64_t>> sizesOf(func::FuncOp model) {
  SmallVector<SmallVector<int64_t>> sizes;
  for (unsigned i = 0; i < model.getNumArguments(); ++i) {
    sizes.emplace_back();
    for (Attribute name : model.getArgAttrOfType<ArrayAttr>(i, attn::kDimsAttr))
      if (StringRef text = cast<StringAttr>(name).getValue(); !text.empty())
        sizes.back().push_back(text == "batch" ? 2 : text == "m" ? 5 : 7);
  }
  return sizes;
}

class WrittenOut : public testing::TestWithParam<Case> {};

TEST_P(WrittenOut, IsRaised) {
  DialectRegistry registry;
  attn::registerAllDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  std::string text = describe(GetParam()), diagnostics;
  SCOPED_TRACE(text);
  auto module =
      attn::lang::buildModel(&context, {"test.attn", text}, {}, diagnostics);
  ASSERT_TRUE(module) << diagnostics;
  auto model = *module->getOps<func::FuncOp>().begin();
  auto sizes = sizesOf(model);
  auto before = evaluate(model, sizes);
  PassManager manager(&context);
  attn::buildFusionPipeline(manager);
  ASSERT_TRUE(succeeded(manager.run(*module)));
  expectAgreement(before, evaluate(model, sizes));

  unsigned attentions = 0, maps = 0;
  model.walk([&](Operation *op) {
    maps += isa<linalg::GenericOp>(op);
    EXPECT_FALSE((isa<attn::SoftmaxOp, attn::MatmulOp>(op)));
    auto attention = dyn_cast<attn::AttentionOp>(op);
    if (!attention)
      return;
    ++attentions;
    EXPECT_EQ(attn::stringifyNormalizer(attention.getNormalizer()),
              GetParam().normalizer);
    EXPECT_EQ(!attention.getKeep().empty(), GetParam().hasKeep);
  });
  EXPECT_EQ(attentions, GetParam().attentions);
  EXPECT_EQ(maps, GetParam().maps);
}

const Case kCases[] = {
    // The softmax.
    {"Exponentials", "",
     "let e = exp(s - max_over(s, 3, keep = true))\n"
     "return matmul(e / sum(e, 3, keep = true), v)"},
    {"ExponentialsWithoutMaximum", "",
     "let e = exp(s) return matmul(e / sum(e, 3, keep = true), v)"},
    {"Reciprocal", "",
     "let e = exp(s) return matmul(e * (1 / sum(e, 3, keep = true)), v)"},
    {"SoftmaxOfDifference", "",
     "return matmul(softmax(s - max_over(s, 3, keep = true)), v)"},
    {"MaskedExponentials", ", valid: i64[batch, n]",
     "let e = where(reshape(valid, [b, 1, 1, n]) != 0,\n"
     "  exp(s - max_over(s, 3, keep = true)), 0.0)\n"
     "return matmul(e / sum(e, 3, keep = true), v)",
     "softmax", true, 1, 1},
    {"AlongRowsOfTurnedScores", "",
     "let t = matmul(k, q, transpose_b = true)\n"
     "return matmul(transpose(softmax(t, axis = 2), [0, 1, 3, 2]), v)"},
    {"TransposedWeights", "",
     "let p = transpose(softmax(transpose(s, [0, 1, 3, 2]), axis = 2), "
     "[0, 1, 3, 2])\n"
     "return matmul(p, v)"},
    // The scale.
    {"ScaleOfEach", "",
     "return matmul(softmax(matmul(q * 0.59, 0.59 * k, transpose_b = true) / "
     "2.0), v)"},
    {"Temperature", ", t: f32[4]",
     "return matmul(softmax(s * exp(reshape(t, [4, 1, 1]))), v)", "softmax",
     false, 1, 1},
    {"SoftCap", "", "return matmul(softmax(3.0 * tanh(s / 3.0)), v)"},
    // Masks and biases.
    {"MaskOfKeys", ", x: f32[batch, 1, 1, n]",
     "return matmul(softmax(s + x), v)"},
    {"MaskOfPairs", ", x: f32[m, n]", "return matmul(softmax(s + x), v)"},
    {"MaskOfRows", ", x: f32[batch, 1, m, 1]",
     "return matmul(softmax(s + x), v)"},
    {"FiniteFill", ", valid: i64[batch, n]",
     "return matmul(softmax(where(reshape(valid, [b, 1, 1, n]) != 0, s, "
     "-1e9)), v)",
     "softmax", false, 1, 1},
    {"MaskTimesLowest", ", valid: i64[batch, n]",
     "let x = (1.0 - f32(reshape(valid, [b, 1, 1, n]))) * -3.4028234e38\n"
     "return matmul(softmax(s + x), v)",
     "softmax", false, 1, 1},
    {"Causal", "", "return matmul(softmax(s + log(f32(j <= i))), v)", "softmax",
     true},
    {"CausalAndPadding", ", valid: i64[batch, n], x: f32[batch, 1, 1, n]",
     "let a = (s + log(f32(j <= i))) * 0.5 + x\n"
     "let c = reshape(valid, [b, 1, 1, n]) != 0\n"
     "return matmul(softmax(a + log(f32(c))), v)",
     "softmax", true},
    {"Alibi", ", slope: f32[4]",
     "return matmul(softmax(s + reshape(slope, [4, 1, 1]) * f32(j - i)), v)"},
    {"RelativeTable", ", bias: f32[4, m, n]",
     "return matmul(softmax(s + bias), v)"},
    {"RelativeLookup", ", rel: i64[m, n] in 0..2",
     "let bias = transpose(embedding(rel, weight(\"t\", [3, 4])), [2, 0, 1])\n"
     "return matmul(softmax(s + bias), v)"},
    {"Buckets", "",
     "let near = max(min(j - i, 2), -2) + 2\n"
     "let far = i64(abs(j - i) >= 4) + i64(abs(j - i) >= 6)\n"
     "let bucket = where(abs(j - i) < 3, near, far + 4)\n"
     "let bias = transpose(embedding(bucket, weight(\"t\", [8, 4])), [2, 0, "
     "1])\n"
     "return matmul(softmax(s + reshape(bias, [1, 4, m, n])), v)"},
    // Heads.
    {"GroupedHeads", ", g: f32[batch, 2, n, 8], w: f32[batch, 2, n, 6]",
     "let gk = reshape(expand(reshape(g, [b, 2, 1, n, 8]), [b, 2, 2, n, 8]), "
     "[b, 4, n, 8])\n"
     "let gv = reshape(expand(reshape(w, [b, 2, 1, n, 6]), [b, 2, 2, n, 6]), "
     "[b, 4, n, 6])\n"
     "return matmul(softmax(matmul(q, gk, transpose_b = true)), gv)"},
    {"OneRepeatedHead", ", g: f32[batch, 1, n, 8], w: f32[batch, 1, n, 6]",
     "let gk = expand(g, [b, 4, n, 8]) let gv = expand(w, [b, 4, n, 6])\n"
     "return matmul(softmax(matmul(q, gk, transpose_b = true)), gv)"},
    {"JoinedCopies", ", g: f32[batch, 1, n, 8], w: f32[batch, 1, n, 6]",
     "let gk = concat(g, g, g, g, axis = 1) let gv = concat(w, w, w, w, axis = "
     "1)\n"
     "return matmul(softmax(matmul(q, gk, transpose_b = true)), gv)"},
    {"HeadBySlices", "",
     "let y = null\n"
     "for h in 0..4 {\n"
     "  let t = reshape(q[:, h], [b, m, 8]) let u = reshape(k[:, h], [b, n, "
     "8])\n"
     "  let p = softmax(matmul(t, u, transpose_b = true) / sqrt(8.0))\n"
     "  let z = reshape(matmul(p, reshape(v[:, h], [b, n, 6])), [b, 1, m, 6])\n"
     "  if h == 0 { y = z } else { y = concat(y, z, axis = 1) }\n"
     "}\n"
     "return y",
     "softmax", false, 4},
    {"JoinedBatch", ", x: f32[batch, 1, 1, n]",
     "let t = matmul(reshape(q, [4 * b, m, 8]), reshape(k, [4 * b, n, 8]), "
     "transpose_b = true)\n"
     "let p = softmax(reshape(reshape(t, [b, 4, m, n]) + x, [4 * b, m, n]))\n"
     "return reshape(matmul(p, reshape(v, [4 * b, n, 6])), [b, 4, m, 6])"},
    // Around the softmax.
    {"SinkBefore", ", x: f32[1, 4, 1, 1]",
     "let c = concat(expand(x, [b, 4, m, 1]), s + f32(j - i), axis = 3)\n"
     "return matmul(softmax(c)[:, :, :, 1:], v)"},
    {"FactorOfWeights", ", keep: f32[batch, 4, m, n], gate: f32[4]",
     "return matmul(softmax(s) * keep / 0.9 * sigmoid(reshape(gate, [4, 1, "
     "1])), v)",
     "softmax", false, 1, 1},
    {"SumDividedOutBehind", "",
     "let e = exp(s - max_over(s, 3, keep = true))\n"
     "return matmul(e, v) / sum(e, 3, keep = true)"},
    {"FactorOfRows", ", gate: f32[batch, 4, m, 1]",
     "return matmul(2.0 * softmax(s) * gate, v)", "softmax", false, 1, 1},
    {"Differential",
     ", q2: f32[batch, 4, m, 8], k2: f32[batch, 4, n, 8], l: f32[4]",
     "let s2 = matmul(q2, k2, transpose_b = true) / sqrt(8.0)\n"
     "let p = softmax(s) - reshape(l, [4, 1, 1]) * softmax(s2)\n"
     "return matmul(p, v)",
     "softmax", false, 2, 1},
    {"SumOfThree", ", q2: f32[batch, 4, m, 8], k2: f32[batch, 4, n, 8]",
     "let s2 = matmul(q2, k2, transpose_b = true)\n"
     "let s3 = matmul(q, k2, transpose_b = true)\n"
     "let p = softmax(s) + softmax(s2) / 3.0\n"
     "return matmul(p + softmax(s3), v)",
     "softmax", false, 3, 1},
    {"Sigmoid", "", "return matmul(sigmoid(s - log(7.0)), v)", "sigmoid"},
    {"GatedSigmoid", ", x: f32[batch, 1, 1, n]",
     "return matmul(sigmoid(s) * x, v)", "sigmoid"},
    {"Relu", "", "return matmul(relu(s) * relu(s) / 7.0, v)", "sum"},
    {"Silu", "", "return matmul(silu(s), v)", "sum"},
    {"Linear", "", "return matmul(s, v)", "sum"},
    // Scores that are no single product.
    {"TwoProducts", ", q2: f32[batch, 4, m, 3], k2: f32[batch, 4, n, 3]",
     "return matmul(softmax(s + 0.5 * matmul(q2, k2, transpose_b = true)), v)"},
    {"Additive", "",
     "let t = tanh(reshape(q, [b, 4, m, 1, 8]) + reshape(k, [b, 4, 1, n, 8]))\n"
     "return matmul(softmax(sum(t * weight(\"w\", [8]), 4)), v)"},
    {"AdditiveOfHeads", "",
     "let t = tanh(reshape(q, [b, 4, m, 1, 8]) + reshape(k, [b, 4, 1, n, 8]))\n"
     "let w = reshape(weight(\"w\", [4, 8]), [4, 1, 1, 8])\n"
     "return matmul(softmax(sum(t * w, 4)), v)"},
    {"AdditiveLinear", "",
     "let t = tanh(reshape(q, [b, 4, m, 1, 8]) + reshape(k, [b, 4, 1, n, 8]))\n"
     "return matmul(softmax(reshape(linear(t, 1, \"score\"), [b, 4, m, n])), "
     "v)"},
    {"Distance", "",
     "let t = reshape(q, [b, 4, m, 1, 8]) - reshape(k, [b, 4, 1, n, 8])\n"
     "return matmul(softmax(-sum(t * t, 4) / 2.0), v)"},
    {"Gaussian", ", w: f32[1]",
     "let t = (reshape(q, [b, 4, m, 1, 8]) - reshape(k, [b, 4, 1, n, 8])) * w\n"
     "return matmul(softmax(-0.5 * sum(t ^ 2, 4)), v)"},
    {"DistanceThroughNorms", "",
     "let a = sum(q * q, 3, keep = true)\n"
     "let c = reshape(sum(k * k, 3), [b, 4, 1, n])\n"
     "return matmul(softmax(-(a + c - 2.0 * matmul(q, k, transpose_b = "
     "true))), "
     "v)",
     "softmax", false, 1, 4},
    {"TwoDimensionsOfBatches", ", x: f32[batch, 2, m, n], c: f32[batch, 2, n]",
     "let q5 = reshape(q, [b, 2, 2, m, 8])\n"
     "let k5 = reshape(k, [b, 2, 2, n, 8])\n"
     "let t = matmul(q5, k5, transpose_b = true) / 3.0\n"
     "  + reshape(x, [b, 1, 2, m, n]) + reshape(c, [b, 2, 1, 1, n])\n"
     "let y = matmul(softmax(t), reshape(v, [b, 2, 2, n, 6]))\n"
     "return reshape(y, [b, 4, m, 6])"},
};

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Forms, WrittenOut, testing::ValuesIn(kCases), nameOf);

} // namespace
