// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of attn.attention against the formula in double.

#include "test/codegen/cpu/KernelTest.h"
#include "llvm/Support/FormatVariadic.h"

#include <functional>

using namespace attn;
using namespace attn::test;

namespace {

struct Shape {
  int64_t b, h, g, m, n, d, e;
};

/// Operands as [B, length, heads, width], in the order projections leave them.
struct Problem {
  Problem(const Shape &s, std::vector<float> q, std::vector<float> k,
          std::vector<float> v)
      : s(s), q(q), k(k), v(v) {}
  Shape s;
  std::vector<float> q, k, v;
  std::function<double(double dot, int b, int h, int i, int j)> score =
      [this](double dot, int, int, int, int) { return dot / std::sqrt(s.d); };
  std::function<bool(int b, int h, int i, int j)> keep =
      [](int, int, int, int) { return true; };

  std::vector<double> expected() const {
    std::vector<double> out(s.b * s.m * s.h * s.e);
    for (int b = 0; b < s.b; ++b)
      for (int h = 0; h < s.h; ++h)
        for (int i = 0; i < s.m; ++i)
          row(b, h, i, &out[((b * s.m + i) * s.h + h) * s.e]);
    return out;
  }

private:
  void row(int b, int h, int i, double *out) const {
    int g = h / (s.h / s.g);
    std::vector<double> weights(s.n);
    double most = -INFINITY, sum = 0;
    for (int j = 0; j < s.n; ++j) {
      if (!keep(b, h, i, j))
        continue;
      double dot = 0;
      for (int d = 0; d < s.d; ++d)
        dot += double(q[((b * s.m + i) * s.h + h) * s.d + d]) *
               k[((b * s.n + j) * s.g + g) * s.d + d];
      weights[j] = score(dot, b, h, i, j);
      most = std::max(most, weights[j]);
    }
    for (int j = 0; j < s.n; ++j) {
      weights[j] = keep(b, h, i, j) ? std::exp(weights[j] - most) : 0.0;
      sum += weights[j];
    }
    for (int j = 0; j < s.n; ++j)
      for (int e = 0; e < s.e && weights[j] != 0; ++e)
        out[e] += weights[j] / sum * v[((b * s.n + j) * s.g + g) * s.e + e];
  }
};

std::string attentionText(const Shape &s, llvm::StringRef score,
                          llvm::StringRef keep = "",
                          llvm::StringRef captureType = "") {
  std::string argument, captures, inRegion;
  if (!captureType.empty()) {
    argument = ", %capture: " + captureType.str();
    captures = "captures(%capture : " + captureType.str() + ")";
    inRegion = ", %c: " + captureType.str();
  }
  std::string block = llvm::formatv(
      "^bb0(%q1: tensor<{0}xf32>, %k1: tensor<{0}xf32>, %b: index, %h: index, "
      "%i: index, %j: index, %m: index, %n: index{1}):\n",
      s.d, inRegion);
  auto type = [](int64_t heads, int64_t width, bool split) {
    return llvm::formatv(split ? "tensor<?x{0}x?x{1}xf32>"
                               : "tensor<?x?x{0}x{1}xf32>",
                         heads, width)
        .str();
  };
  std::string keepRegion =
      keep.empty() ? "" : "keep {" + block + keep.str() + "}";
  return llvm::formatv(R"(
    func.func private @kernel(%q: {0}, %k: {1}, %v: {2}{9}) -> {3} attributes {{attn.kernel} {{
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %batch = tensor.dim %q, %c0 : {0}
      %rows = tensor.dim %q, %c1 : {0}
      %keys = tensor.dim %k, %c1 : {1}
      %qe = tensor.empty(%batch, %rows) : {4}
      %ke = tensor.empty(%batch, %keys) : {5}
      %ve = tensor.empty(%batch, %keys) : {6}
      %qt = linalg.transpose ins(%q : {0}) outs(%qe : {4}) permutation = [0, 2, 1, 3]
      %kt = linalg.transpose ins(%k : {1}) outs(%ke : {5}) permutation = [0, 2, 1, 3]
      %vt = linalg.transpose ins(%v : {2}) outs(%ve : {6}) permutation = [0, 2, 1, 3]
      %o = attn.attention queries(%qt : {4}) keys(%kt : {5}) value(%vt : {6}) {8}
          score {{ {10}{11} } {12} -> {7}
      %oe = tensor.empty(%batch, %rows) : {3}
      %ot = linalg.transpose ins(%o : {7}) outs(%oe : {3}) permutation = [0, 2, 1, 3]
      return %ot : {3}
    })",
                       type(s.h, s.d, false), type(s.g, s.d, false),
                       type(s.g, s.e, false), type(s.h, s.e, false),
                       type(s.h, s.d, true), type(s.g, s.d, true),
                       type(s.g, s.e, true), type(s.h, s.e, true), captures,
                       argument, block, score.str(), keepRegion);
}

std::string scaledDot(int64_t d) {
  return llvm::formatv("%dot = attn.dot %q1, %k1 : tensor<{0}xf32> "
                       "%scale = arith.constant {1:E8} : f32 "
                       "%s = arith.mulf %dot, %scale : f32 attn.yield %s : f32",
                       d, 1 / std::sqrt(double(d)));
}

class Attention : public KernelTest {
protected:
  Problem problem(const Shape &s) {
    return Problem(s, normal(s.b * s.m * s.h * s.d),
                   normal(s.b * s.n * s.g * s.d),
                   normal(s.b * s.n * s.g * s.e));
  }
  void checkProblem(const Problem &p, const std::string &text,
                    std::vector<Operand> captures = {},
                    double tolerance = 3e-6) {
    const Shape &s = p.s;
    GuardedBuffer q(p.q), k(p.k), v(p.v), out(s.b * s.m * s.h * s.e);
    std::vector<Operand> operands = {
        {q.data(), {s.b, s.m}}, {k.data(), {s.b, s.n}}, {v.data(), {s.b, s.n}}};
    operands.insert(operands.end(), captures.begin(), captures.end());
    operands.push_back({out.data(), {s.b, s.m}});
    check(text, operands, {{&out, p.expected()}}, tolerance);
  }
};

TEST_P(Attention, ManyShapes) {
  const Shape shapes[] = {
      {1, 2, 2, 197, 197, 64, 64}, {2, 1, 1, 1, 7, 16, 16},
      {1, 2, 1, 7, 33, 33, 48},    {2, 4, 2, 25, 49, 32, 32},
      {1, 1, 1, 197, 1, 16, 16},   {1, 3, 1, 5, 64, 1, 1},
      {1, 1, 1, 26, 1040, 8, 80},  {1, 2, 2, 3, 0, 16, 16},
      {1, 1, 1, 0, 5, 16, 16},     {1, 1, 1, 30, 2100, 64, 24}};
  for (const Shape &s : shapes) {
    SCOPED_TRACE(llvm::formatv("{0} {1} {2} {3} {4} {5} {6}", s.b, s.h, s.g,
                               s.m, s.n, s.d, s.e)
                     .str());
    checkProblem(problem(s), attentionText(s, scaledDot(s.d)));
  }
}

TEST_P(Attention, CausalAlignedAtTheEnd) {
  Shape s{1, 2, 2, 40, 50, 16, 16};
  Problem p = problem(s);
  p.keep = [](int, int, int i, int j) { return j <= i + 10; };
  checkProblem(p, attentionText(s, scaledDot(s.d), R"(
      %o = arith.subi %n, %m : index
      %t = arith.addi %i, %o : index
      %keep = arith.cmpi sle, %j, %t : index
      attn.yield %keep : i1)"));
}

TEST_P(Attention, PaddingMaskIgnoresWhatItHides) {
  Shape s{2, 2, 1, 30, 37, 24, 20};
  Problem p = problem(s);
  std::vector<int64_t> mask(s.b * s.n, 1);
  for (int64_t j = 0; j < s.n; ++j) {
    mask[j] = j < 20;
    mask[s.n + j] = 0; // the second batch keeps nothing
  }
  p.keep = [&](int b, int, int, int j) { return mask[b * s.n + j] != 0; };
  // What is masked may hold anything.
  for (int64_t j = 0; j < s.b * s.n; ++j)
    if (!mask[j]) {
      std::fill_n(&p.k[j * s.d], s.d, NAN);
      std::fill_n(&p.v[j * s.e], s.e, INFINITY);
    }
  std::string text = attentionText(s, scaledDot(s.d), R"(
      %zero = arith.constant 0 : i64
      %x = tensor.extract %c[%b, %j] : tensor<?x?xi64>
      %keep = arith.cmpi ne, %x, %zero : i64
      attn.yield %keep : i1)",
                                   "tensor<?x?xi64>");
  checkProblem(p, text, {{mask.data(), {s.b, s.n}}});
}

TEST_P(Attention, BiasFromTable) {
  Shape s{1, 3, 3, 21, 45, 16, 16};
  Problem p = problem(s);
  auto bias = normal(s.h * s.m * s.n);
  p.score = [&](double dot, int, int h, int i, int j) {
    return dot / 4 + bias[(h * s.m + i) * s.n + j];
  };
  std::string text = attentionText(s, R"(
      %dot = attn.dot %q1, %k1 : tensor<16xf32>
      %scale = arith.constant 0.25 : f32
      %s = arith.mulf %dot, %scale : f32
      %x = tensor.extract %c[%h, %i, %j] : tensor<?x?x?xf32>
      %y = arith.addf %s, %x : f32
      attn.yield %y : f32)",
                                   "", "tensor<?x?x?xf32>");
  checkProblem(p, text, {{bias.data(), {s.h, s.m, s.n}}});
}

TEST_P(Attention, SoftCapWithSlopes) {
  Shape s{1, 2, 2, 19, 33, 16, 16};
  Problem p = problem(s);
  std::vector<float> slopes = {0.5f, 0.25f};
  p.score = [&](double dot, int, int h, int i, int j) {
    return 5 * std::tanh(dot / 5) - slopes[h] * std::abs(i - j);
  };
  std::string text = attentionText(s, R"(
      %dot = attn.dot %q1, %k1 : tensor<16xf32>
      %cap = arith.constant 5.0 : f32
      %0 = arith.divf %dot, %cap : f32
      %1 = math.tanh %0 : f32
      %2 = arith.mulf %1, %cap : f32
      %3 = arith.subi %i, %j : index
      %4 = arith.index_cast %3 : index to i64
      %5 = arith.sitofp %4 : i64 to f32
      %6 = math.absf %5 : f32
      %slope = tensor.extract %c[%h] : tensor<2xf32>
      %7 = arith.mulf %slope, %6 : f32
      %8 = arith.subf %2, %7 : f32
      attn.yield %8 : f32)",
                                   "", "tensor<2xf32>");
  checkProblem(p, text, {{slopes.data(), {}}}, 1e-5);
}

TEST_P(Attention, LowestFloatFillLeavesUniformRows) {
  Shape s{1, 1, 1, 4, 20, 16, 16};
  Problem p = problem(s);
  p.score = [](double, int, int, int, int) { return 0.0; };
  std::string text = attentionText(s, R"(
      %dot = attn.dot %q1, %k1 : tensor<16xf32>
      %fill = arith.constant 0xFF7FFFFF : f32
      %0 = arith.addf %dot, %fill : f32
      attn.yield %0 : f32)");
  checkProblem(p, text);
}

TEST_P(Attention, LargeLogits) {
  Shape s{1, 1, 1, 8, 40, 16, 16};
  Problem p = problem(s);
  for (float &x : p.q)
    x *= 300;
  checkProblem(p, attentionText(s, scaledDot(s.d)), {}, 2e-3);
}

TEST_P(Attention, NanInQueryStaysInItsRow) {
  Shape s{1, 2, 2, 30, 40, 16, 16};
  Problem p = problem(s);
  p.q[(7 * s.h + 1) * s.d + 3] = NAN;
  std::vector<float> out(s.m * s.h * s.e);
  compile(attentionText(s, scaledDot(s.d)))
      .run({{p.q.data(), {1, s.m}},
            {p.k.data(), {1, s.n}},
            {p.v.data(), {1, s.n}},
            {out.data(), {1, s.m}}});
  for (int64_t i = 0; i < s.m * s.h * s.e; ++i)
    EXPECT_EQ(std::isnan(out[i]), i / s.e == 7 * s.h + 1) << i;
}

/// The rule for bits: padding beside a row's keys changes nothing.
TEST_P(Attention, PaddingNeverChangesBits) {
  Shape s{1, 1, 1, 13, 30, 16, 16};
  Problem p = problem(s);
  CompiledKernel kernel = compile(attentionText(s, scaledDot(s.d), R"(
      %zero = arith.constant 0 : i64
      %x = tensor.extract %c[%b, %j] : tensor<?x?xi64>
      %keep = arith.cmpi ne, %x, %zero : i64
      attn.yield %keep : i1)",
                                                "tensor<?x?xi64>"));
  std::vector<float> first;
  for (int64_t n : {30, 31, 64, 1100}) {
    std::vector<float> k = p.k, v = p.v, out(s.m * s.e);
    std::vector<int64_t> mask(n, 0);
    std::fill_n(mask.begin(), s.n, 1);
    k.resize(n * s.d, 1.5f);
    v.resize(n * s.e, -3.0f);
    kernel.run({{p.q.data(), {1, s.m}},
                {k.data(), {1, n}},
                {v.data(), {1, n}},
                {mask.data(), {1, n}},
                {out.data(), {1, s.m}}});
    if (first.empty())
      first = out;
    EXPECT_EQ(first, out) << n;
  }
}

/// The last query alone, or beside others in ever more blocks of rows.
TEST_P(Attention, FewRowsHaveTheBitsOfMany) {
  Shape s{1, 4, 2, 60, 2100, 16, 20};
  Problem p = problem(s);
  CompiledKernel kernel = compile(attentionText(s, scaledDot(s.d), R"(
      %o = arith.subi %n, %m : index
      %t = arith.addi %i, %o : index
      %keep = arith.cmpi sle, %j, %t : index
      attn.yield %keep : i1)"));
  std::vector<float> first;
  for (int64_t m : {1, 3, 12, 13, 60})
    for (int64_t slots : {1, 2, 3, 8}) {
      int64_t before = (s.m - m) * s.h * s.d;
      std::vector<float> q(p.q.begin() + before, p.q.end());
      std::vector<float> out(m * s.h * s.e, NAN);
      kernel.run({{q.data(), {1, m}},
                  {p.k.data(), {1, s.n}},
                  {p.v.data(), {1, s.n}},
                  {out.data(), {1, m}}},
                 slots);
      std::vector<float> last(out.end() - s.h * s.e, out.end());
      if (first.empty())
        first = last;
      EXPECT_EQ(first, last) << m << " rows, " << slots << " slots";
    }
}

/// Chunks of one head's keys between slots, some of them left out.
TEST_P(Attention, ChunksOfFewRowsAreSplitBetweenSlots) {
  Shape s{2, 1, 1, 2, 5000, 16, 20};
  Problem p = problem(s);
  p.keep = [&](int, int, int i, int j) { return j >= 2100 && j < 4000 + i; };
  CompiledKernel kernel = compile(attentionText(s, scaledDot(s.d), R"(
      %first = arith.constant 2100 : index
      %end = arith.constant 4000 : index
      %last = arith.addi %i, %end : index
      %0 = arith.cmpi sge, %j, %first : index
      %1 = arith.cmpi slt, %j, %last : index
      %keep = arith.andi %0, %1 : i1
      attn.yield %keep : i1)"));
  std::vector<double> expected = p.expected();
  std::vector<float> first;
  for (int64_t slots : {1, 2, 3, 4, 64}) {
    std::vector<float> out(expected.size(), NAN);
    kernel.run({{p.q.data(), {s.b, s.m}},
                {p.k.data(), {s.b, s.n}},
                {p.v.data(), {s.b, s.n}},
                {out.data(), {s.b, s.m}}},
               slots);
    if (first.empty())
      first = out;
    EXPECT_EQ(first, out) << slots << " slots";
    for (size_t i = 0; i < out.size(); ++i)
      ASSERT_NEAR(out[i], expected[i], 1e-5) << "element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Attention, ::testing::ValuesIn(targetsHere()),
                         targetName);

} // namespace
