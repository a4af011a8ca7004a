// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of attn.linear against a plain loop in double.

#include "test/codegen/cpu/KernelTest.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"

using namespace attn;
using namespace attn::test;

namespace {

struct Shape {
  int64_t m, k, n;
};

std::string linearText(const Shape &s, llvm::StringRef captures,
                       llvm::StringRef types, llvm::StringRef maps,
                       llvm::StringRef region, llvm::StringRef arguments) {
  return llvm::formatv(R"(
    func.func private @kernel(%x: tensor<?x{0}xf32>,
        %w: tensor<{1}x{0}xf32> {{attn.layout = #attn.panels<16>} {6})
        -> tensor<?x{1}xf32> attributes {{attn.kernel} {{
      %y = attn.linear %x weights(%w : tensor<{1}x{0}xf32>)
          captures({2} : {3}) maps [{4}] epilogue {{ {5} }
          : tensor<?x{0}xf32> -> tensor<?x{1}xf32>
      return %y : tensor<?x{1}xf32>
    })",
                       s.k, s.n, captures, types, maps, region, arguments);
}

/// y = x w^T in double.
std::vector<double> product(const Shape &s, const std::vector<float> &x,
                            const std::vector<float> &w) {
  std::vector<double> y(s.m * s.n);
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j)
      for (int64_t k = 0; k < s.k; ++k)
        y[i * s.n + j] += double(x[i * s.k + k]) * w[j * s.k + k];
  return y;
}

const Shape kShapes[] = {{197, 64, 7},
                         {1, 64, 33},
                         {3, 1, 5},
                         {65, 129, 63},
                         {7, 33, 197},
                         {0, 8, 16},
                         {6, 16, 32},
                         {13, 16, 48},
                         {29, 5, 40},
                         // Enough columns for a copy of the rows; then rows
                         // long enough for slices, of which the last is
                         // shorter, of an odd length, or multiplied in place;
                         // a single row is never sliced.
                         {61, 48, 400},
                         {0, 48, 400},
                         {30, 1500, 400},
                         {9, 2051, 430},
                         {5, 3072, 24},
                         {47, 1025, 33},
                         {1, 2051, 430},
                         {1, 3072, 24}};

class Linear : public KernelTest {};

TEST_P(Linear, BiasAndResidual) {
  for (const Shape &s : kShapes) {
    SCOPED_TRACE(llvm::formatv("{0}x{1}x{2}", s.m, s.k, s.n).str());
    std::string row = llvm::formatv("tensor<{0}xf32>", s.n);
    std::string whole = llvm::formatv("tensor<?x{0}xf32>", s.n);
    std::string text = linearText(
        s, "%b, %r", row + ", " + whole,
        "affine_map<(r, c) -> (c)>, affine_map<(r, c) -> (r, c)>",
        "^bb0(%a: f32, %bias: f32, %res: f32): %0 = arith.addf %a, %bias : f32 "
        "%1 = arith.addf %0, %res : f32 attn.yield %1 : f32",
        ", %b: " + row + ", %r: " + whole);
    auto x = normal(s.m * s.k), w = normal(s.n * s.k), b = normal(s.n),
         r = normal(s.m * s.n);
    auto packed = packPanels(w, s.n, s.k);
    auto expected = product(s, x, w);
    for (int64_t i = 0; i < s.m * s.n; ++i)
      expected[i] += double(b[i % s.n]) + r[i];
    GuardedBuffer in(x), bias(b), residual(r), out(s.m * s.n);
    check(text,
          {{in.data(), {s.m}},
           {packed.data(), {}},
           {bias.data(), {}},
           {residual.data(), {s.m}},
           {out.data(), {s.m}}},
          {{&out, expected}}, 1e-5 * (1 + s.k / 16.0));
    // Memory is planned so that a result may lie over its residual.
    CompiledKernel kernel = compile(text);
    for (int64_t slots : {1, 3}) {
      GuardedBuffer over(r);
      kernel.run({{in.data(), {s.m}},
                  {packed.data(), {}},
                  {bias.data(), {}},
                  {over.data(), {s.m}},
                  {over.data(), {s.m}}},
                 slots);
      EXPECT_EQ(llvm::ArrayRef(over.data(), over.size()),
                llvm::ArrayRef(out.data(), out.size()))
          << slots << " slots";
    }
  }
}

TEST_P(Linear, GeluInEpilogue) {
  for (const Shape &s : {Shape{31, 40, 50}, Shape{31, 1100, 50}}) {
    std::string row = "tensor<50xf32>";
    std::string text =
        linearText(s, "%b", row, "affine_map<(r, c) -> (c)>",
                   "^bb0(%a: f32, %bias: f32): %0 = arith.addf %a, %bias : f32 "
                   "%1 = attn.gelu %0 : f32 attn.yield %1 : f32",
                   ", %b: " + row);
    auto x = normal(s.m * s.k), b = normal(s.n),
         w = normal(s.n * s.k, 1.25f / std::sqrt(float(s.k)));
    auto packed = packPanels(w, s.n, s.k);
    auto expected = product(s, x, w);
    for (int64_t i = 0; i < s.m * s.n; ++i) {
      double v = expected[i] + b[i % s.n];
      expected[i] = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
    }
    GuardedBuffer out(s.m * s.n);
    check(text,
          {{x.data(), {s.m}},
           {packed.data(), {}},
           {b.data(), {}},
           {out.data(), {s.m}}},
          {{&out, expected}}, 1e-6 * (1 + s.k / 40.0));
  }
}

TEST_P(Linear, NanStaysInItsRow) {
  Shape s{20, 24, 40};
  std::string text =
      linearText(s, "%b", "tensor<40xf32>", "affine_map<(r, c) -> (c)>",
                 "^bb0(%a: f32, %bias: f32): %0 = arith.addf %a, %bias : f32 "
                 "%1 = attn.gelu %0 : f32 attn.yield %1 : f32",
                 ", %b: tensor<40xf32>");
  auto x = normal(s.m * s.k), w = normal(s.n * s.k), b = normal(s.n);
  x[5 * s.k + 3] = NAN;
  auto packed = packPanels(w, s.n, s.k);
  std::vector<float> y(s.m * s.n);
  compile(text).run({{x.data(), {s.m}},
                     {packed.data(), {}},
                     {b.data(), {}},
                     {y.data(), {s.m}}});
  for (int64_t i = 0; i < s.m * s.n; ++i)
    EXPECT_EQ(std::isnan(y[i]), i / s.n == 5) << i;
}

/// A row has the same bits whatever block it falls into and however many rows
/// there are, with a norm before the product and more columns than a slice has.
TEST_P(Linear, RowsDoNotDependOnEachOther) {
  constexpr int64_t kRows = 700, kWidth = 1100, kOut = 40;
  const char *text = R"(
    func.func private @kernel(%x: tensor<?x1100xf32>,
        %w: tensor<40x1100xf32> {attn.layout = #attn.panels<16>}, %g: tensor<1100xf32>)
        -> tensor<?x40xf32> attributes {attn.kernel} {
      %y = attn.linear %x weights(%w : tensor<40x1100xf32>)
          prologue_captures(%g : tensor<1100xf32>) prologue {
          ^bb0(%row: tensor<1100xf32>, %scale: tensor<1100xf32>):
            %n = attn.rms_norm %row scale(%scale : tensor<1100xf32>) eps 1.0e-5 : tensor<1100xf32>
            attn.yield %n : tensor<1100xf32>
          } : tensor<?x1100xf32> -> tensor<?x40xf32>
      return %y : tensor<?x40xf32>
    })";
  auto row = normal(kWidth), w = normal(kOut * kWidth), g = normal(kWidth);
  auto packed = packPanels(w, kOut, kWidth);
  std::vector<float> x, alone(kOut), y(kRows * kOut);
  for (int64_t r = 0; r < kRows; ++r)
    x.insert(x.end(), row.begin(), row.end());
  auto kernel = compile(text);
  kernel.run({{x.data(), {1}},
              {packed.data(), {}},
              {g.data(), {}},
              {alone.data(), {1}}});
  kernel.run({{x.data(), {kRows}},
              {packed.data(), {}},
              {g.data(), {}},
              {y.data(), {kRows}}});
  for (int64_t r = 0; r < kRows; ++r)
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), y.begin() + r * kOut))
        << r;
}

/// Weights stored as bf16 give the bits of the same weights as f32: tall and
/// short tiles, rows of one, odd depths, slices.
TEST_P(Linear, Bf16WeightsAreFloats) {
  for (const Shape &s : kShapes) {
    SCOPED_TRACE(llvm::formatv("{0}x{1}x{2}", s.m, s.k, s.n).str());
    auto x = normal(s.m * s.k), w = normal(s.n * s.k);
    for (float &value : w)
      value =
          llvm::bit_cast<float>(llvm::bit_cast<uint32_t>(value) >> 16 << 16);
    auto packed = packPanels(w, s.n, s.k);
    std::vector<uint16_t> words;
    for (float value : packed)
      words.push_back(llvm::bit_cast<uint32_t>(value) >> 16);
    auto run = [&](llvm::StringRef layout, const void *weights) {
      std::string text = llvm::formatv(
          R"(
        func.func private @kernel(%x: tensor<?x{0}xf32>, %w: tensor<{1}x{0}xf32> {{attn.layout = {2}})
            -> tensor<?x{1}xf32> attributes {{attn.kernel} {{
          %y = attn.linear %x weights(%w : tensor<{1}x{0}xf32>) : tensor<?x{0}xf32> -> tensor<?x{1}xf32>
          return %y : tensor<?x{1}xf32>
        })",
          s.k, s.n, layout);
      GuardedBuffer out(s.m * s.n);
      auto kernel = compile(text);
      kernel.run({{x.data(), {s.m}}, {weights, {}}, {out.data(), {s.m}}}, 2);
      return std::vector<float>(out.data(), out.data() + out.size());
    };
    EXPECT_EQ(run("#attn.panels<16, bf16>", words.data()),
              run("#attn.panels<16>", packed.data()));
  }
}

/// Three results, a norm before, and captures by batch, position and column.
TEST_P(Linear, ThreeWeightsWithPrologue) {
  constexpr int64_t kBatch = 3, kLength = 11, kWidth = 37,
                    kOut[] = {20, 32, 45};
  const char *text = R"(
    #column = affine_map<(b, s, c) -> (c)>
    #table = affine_map<(b, s, c) -> (s, c)>
    #batch = affine_map<(b, s, c) -> (b)>
    #flipped = affine_map<(b, s, c) -> (c, 0, s)>
    func.func private @kernel(%x: tensor<?x?x37xf32>,
        %w0: tensor<20x37xf32> {attn.layout = #attn.panels<16>},
        %w1: tensor<32x37xf32> {attn.layout = #attn.panels<16>},
        %w2: tensor<45x37xf32> {attn.layout = #attn.panels<16>},
        %c0: tensor<?x20xf32>, %c1: tensor<?xf32>, %c2: tensor<45x1x?xf32>,
        %g: tensor<37xf32>, %h: tensor<37xf32>)
        -> (tensor<?x?x20xf32>, tensor<?x?x32xf32>, tensor<?x?x45xf32>)
        attributes {attn.kernel} {
      %y:3 = attn.linear %x weights(%w0, %w1, %w2 : tensor<20x37xf32>, tensor<32x37xf32>, tensor<45x37xf32>)
          captures(%c0, %c1, %c2 : tensor<?x20xf32>, tensor<?xf32>, tensor<45x1x?xf32>)
          maps [#table, #batch, #flipped]
          prologue_captures(%g, %h : tensor<37xf32>, tensor<37xf32>)
          prologue {
          ^bb0(%row: tensor<37xf32>, %scale: tensor<37xf32>, %shift: tensor<37xf32>):
            %n = attn.layer_norm %row scale(%scale : tensor<37xf32>) shift(%shift : tensor<37xf32>) eps 1.0e-5 : tensor<37xf32>
            attn.yield %n : tensor<37xf32>
          }
          epilogue {
          ^bb0(%a: f32, %d0: f32, %d1: f32, %d2: f32):
            %0 = arith.addf %a, %d0 : f32
            attn.yield %0 : f32
          }, {
          ^bb0(%a: f32, %d0: f32, %d1: f32, %d2: f32):
            %0 = arith.mulf %a, %d1 : f32
            attn.yield %0 : f32
          }, {
          ^bb0(%a: f32, %d0: f32, %d1: f32, %d2: f32):
            %0 = arith.subf %a, %d2 : f32
            attn.yield %0 : f32
          } : tensor<?x?x37xf32> -> tensor<?x?x20xf32>, tensor<?x?x32xf32>, tensor<?x?x45xf32>
      return %y#0, %y#1, %y#2 : tensor<?x?x20xf32>, tensor<?x?x32xf32>, tensor<?x?x45xf32>
    })";
  int64_t m = kBatch * kLength;
  auto x = normal(m * kWidth), g = normal(kWidth), h = normal(kWidth);
  std::vector<float> c[] = {normal(kLength * 20), normal(kBatch),
                            normal(45 * kLength)};
  std::vector<float> w[3], packed[3];
  std::vector<double> expected[3];
  for (int i = 0; i < 3; ++i) {
    w[i] = normal(kOut[i] * kWidth);
    packed[i] = packPanels(w[i], kOut[i], kWidth);
    expected[i].resize(m * kOut[i]);
  }
  for (int64_t r = 0; r < m; ++r) {
    auto normed =
        layerNorm({x.data() + r * kWidth, size_t(kWidth)}, g, h, 1e-5);
    for (int i = 0; i < 3; ++i)
      for (int64_t j = 0; j < kOut[i]; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < kWidth; ++k)
          sum += normed[k] * w[i][j * kWidth + k];
        int64_t batch = r / kLength, at = r % kLength;
        expected[i][r * kOut[i] + j] = i == 0   ? sum + c[0][at * 20 + j]
                                       : i == 1 ? sum * c[1][batch]
                                                : sum - c[2][j * kLength + at];
      }
  }
  GuardedBuffer y0(m * 20), y1(m * 32), y2(m * 45);
  std::vector<int64_t> rows = {kBatch, kLength};
  check(text,
        {{x.data(), rows},
         {packed[0].data(), {}},
         {packed[1].data(), {}},
         {packed[2].data(), {}},
         {c[0].data(), {kLength}},
         {c[1].data(), {kBatch}},
         {c[2].data(), {kLength}},
         {g.data(), {}},
         {h.data(), {}},
         {y0.data(), rows},
         {y1.data(), rows},
         {y2.data(), rows}},
        {{&y0, expected[0]}, {&y1, expected[1]}, {&y2, expected[2]}}, 5e-5);
}

/// Windows of 2 x 3 of a grid of 4 x 6 shifted by (1, 2), read by an index for
/// each row: multiplied in place, sliced, and behind a norm.
TEST_P(Linear, RowsBehindShiftedWindows) {
  constexpr int64_t kBatch = 3, kCells = 24, kOut = 40;
  const char *prologue = R"(prologue_captures(%g : tensor<{0}xf32>) prologue {{
      ^bb0(%row: tensor<{0}xf32>, %scale: tensor<{0}xf32>):
        %n = attn.layer_norm %row scale(%scale : tensor<{0}xf32>) eps 1.0e-5 : tensor<{0}xf32>
        attn.yield %n : tensor<{0}xf32> })";
  const char *text = R"(
    func.func private @kernel(%x: tensor<?x4x6x{0}xf32>,
        %w: tensor<40x{0}xf32> {{attn.layout = #attn.panels<16>}, %g: tensor<{0}xf32>,
        %r: tensor<?x6x40xf32>) -> tensor<?x6x40xf32> attributes {{attn.kernel} {{
      %c0 = arith.constant 0 : index
      %b = tensor.dim %x, %c0 : tensor<?x4x6x{0}xf32>
      %down = tensor.extract_slice %x[0, 1, 0, 0] [%b, 3, 6, {0}] [1, 1, 1, 1] : tensor<?x4x6x{0}xf32> to tensor<?x3x6x{0}xf32>
      %up = tensor.extract_slice %x[0, 0, 0, 0] [%b, 1, 6, {0}] [1, 1, 1, 1] : tensor<?x4x6x{0}xf32> to tensor<?x1x6x{0}xf32>
      %rows = tensor.concat dim(1) %down, %up : (tensor<?x3x6x{0}xf32>, tensor<?x1x6x{0}xf32>) -> tensor<?x4x6x{0}xf32>
      %right = tensor.extract_slice %rows[0, 0, 2, 0] [%b, 4, 4, {0}] [1, 1, 1, 1] : tensor<?x4x6x{0}xf32> to tensor<?x4x4x{0}xf32>
      %left = tensor.extract_slice %rows[0, 0, 0, 0] [%b, 4, 2, {0}] [1, 1, 1, 1] : tensor<?x4x6x{0}xf32> to tensor<?x4x2x{0}xf32>
      %rolled = tensor.concat dim(2) %right, %left : (tensor<?x4x4x{0}xf32>, tensor<?x4x2x{0}xf32>) -> tensor<?x4x6x{0}xf32>
      %grid = tensor.expand_shape %rolled [[0], [1, 2], [3, 4], [5]] output_shape [%b, 2, 2, 2, 3, {0}]
          : tensor<?x4x6x{0}xf32> into tensor<?x2x2x2x3x{0}xf32>
      %empty = tensor.empty(%b) : tensor<?x2x2x2x3x{0}xf32>
      %tiles = linalg.transpose ins(%grid : tensor<?x2x2x2x3x{0}xf32>) outs(%empty : tensor<?x2x2x2x3x{0}xf32>) permutation = [0, 1, 3, 2, 4, 5]
      %windows = tensor.collapse_shape %tiles [[0, 1, 2], [3, 4], [5]] : tensor<?x2x2x2x3x{0}xf32> into tensor<?x6x{0}xf32>
      %y = attn.linear %windows weights(%w : tensor<40x{0}xf32>)
          captures(%r : tensor<?x6x40xf32>) maps [affine_map<(b, s, c) -> (b, s, c)>] {1}
          epilogue {{
          ^bb0(%a: f32, %res: f32):
            %0 = arith.addf %a, %res : f32
            attn.yield %0 : f32
          } : tensor<?x6x{0}xf32> -> tensor<?x6x40xf32>
      return %y : tensor<?x6x40xf32>
    })";
  for (int64_t batch : {int64_t(0), int64_t(1), kBatch})
    for (int64_t width : {24, 1100})
      for (bool normed : {false, true}) {
        SCOPED_TRACE(
            llvm::formatv("{0} x {1}, {2}", batch, width, normed).str());
        auto x = normal(batch * kCells * width), g = normal(width),
             w = normal(kOut * width), r = normal(batch * kCells * kOut);
        std::vector<float> moved;
        for (int64_t row = 0; row < batch * kCells; ++row) {
          int64_t window = row % kCells / 6, cell = row % 6;
          int64_t down = (window / 2 * 2 + cell / 3 + 1) % 4;
          int64_t right = (window % 2 * 3 + cell % 3 + 2) % 6;
          auto *from =
              x.data() + (row / kCells * kCells + down * 6 + right) * width;
          std::vector<float> values(from, from + width);
          if (normed) {
            auto exact = layerNorm(values, g, std::vector<float>(width), 1e-5);
            values.assign(exact.begin(), exact.end());
          }
          moved.insert(moved.end(), values.begin(), values.end());
        }
        auto expected = product({batch * kCells, width, kOut}, moved, w);
        for (size_t i = 0; i < r.size(); ++i)
          expected[i] += r[i];
        auto packed = packPanels(w, kOut, width);
        GuardedBuffer in(x), residual(r), out(r.size());
        std::string before =
            normed ? llvm::formatv(prologue, width).str() : std::string();
        check(llvm::formatv(text, width, before),
              {{in.data(), {batch}},
               {packed.data(), {}},
               {g.data(), {}},
               {residual.data(), {batch * 4}},
               {out.data(), {batch * 4}}},
              {{&out, expected}}, 1e-5 * (1 + width / 16.0));
      }
}

INSTANTIATE_TEST_SUITE_P(Targets, Linear, ::testing::ValuesIn(targetsHere()),
                         targetName);

} // namespace
