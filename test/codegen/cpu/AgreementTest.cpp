// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels against the reference evaluator on the same IR: odd sizes, dynamic
// sizes, sizes 0 and 1, any number of slots.

#include "test/codegen/cpu/Agreement.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace attn;
using namespace attn::test;

namespace {

/// A kernel of one function with these arguments, body and result.
std::string kernelText(llvm::StringRef arguments, llvm::StringRef result,
                       llvm::StringRef body) {
  return llvm::formatv("func.func private @kernel({0}) -> {1} attributes "
                       "{{attn.kernel} {{\n{2}\nreturn %y : {1}\n}",
                       arguments, result, body);
}

/// A linalg.generic into %y; the result's sizes are those of `sizes`,
/// dimensions of %x.
std::string genericText(llvm::StringRef arguments, llvm::StringRef result,
                        llvm::StringRef empty, llvm::StringRef maps,
                        llvm::StringRef kinds, llvm::StringRef inputs,
                        llvm::StringRef body) {
  return kernelText(arguments, result,
                    llvm::formatv(R"(
      {0}
      %y = linalg.generic {{indexing_maps = [{1}], iterator_types = [{2}]}
          ins({3}) outs(%init : {4}) {{ {5} } -> {4})",
                                  empty, maps, kinds, inputs, result, body)
                        .str());
}

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

constexpr llvm::StringLiteral kParallel3 =
    R"("parallel", "parallel", "parallel")";

TEST_P(Agreement, BroadcastsOfARowAndATable) {
  std::string text = genericText(
      "%x: tensor<?x?x33xf32>, %r: tensor<33xf32>, %t: tensor<1x?x33xf32>",
      "tensor<?x?x33xf32>",
      R"(%c0 = arith.constant 0 : index %c1 = arith.constant 1 : index
         %b = tensor.dim %x, %c0 : tensor<?x?x33xf32>
         %s = tensor.dim %x, %c1 : tensor<?x?x33xf32>
         %init = tensor.empty(%b, %s) : tensor<?x?x33xf32>)",
      "affine_map<(b, s, d) -> (b, s, d)>, affine_map<(b, s, d) -> (d)>, "
      "affine_map<(b, s, d) -> (0, s, d)>, affine_map<(b, s, d) -> (b, s, d)>",
      kParallel3,
      "%x, %r, %t : tensor<?x?x33xf32>, tensor<33xf32>, tensor<1x?x33xf32>",
      R"(^bb0(%a: f32, %c: f32, %d: f32, %o: f32):
         %0 = arith.mulf %a, %c : f32 %1 = arith.addf %0, %d : f32
         %2 = math.tanh %1 : f32 linalg.yield %2 : f32)");
  for (auto [b, s] :
       {std::pair<int64_t, int64_t>{2, 5}, {1, 1}, {0, 3}, {3, 0}})
    check(text, {{b, s, 33}, {33}, {1, s, 33}});
}

TEST_P(Agreement, WholeTensorsOfEverySize) {
  std::string text = genericText(
      "%x: tensor<?x?x?xf32>, %z: tensor<?x?x?xf32>", "tensor<?x?x?xf32>",
      R"(%c0 = arith.constant 0 : index %c1 = arith.constant 1 : index
         %c2 = arith.constant 2 : index
         %b = tensor.dim %x, %c0 : tensor<?x?x?xf32>
         %s = tensor.dim %x, %c1 : tensor<?x?x?xf32>
         %d = tensor.dim %x, %c2 : tensor<?x?x?xf32>
         %init = tensor.empty(%b, %s, %d) : tensor<?x?x?xf32>)",
      "affine_map<(b, s, d) -> (b, s, d)>, affine_map<(b, s, d) -> (b, s, d)>, "
      "affine_map<(b, s, d) -> (b, s, d)>",
      kParallel3, "%x, %z : tensor<?x?x?xf32>, tensor<?x?x?xf32>",
      R"(^bb0(%a: f32, %c: f32, %o: f32):
         %0 = attn.gelu %a : f32 %1 = arith.addf %0, %c : f32
         linalg.yield %1 : f32)");
  for (int64_t size : {0, 1, 15, 16, 17, 1024, 2500, 5000})
    check(text, {{1, size, 1}, {1, size, 1}});
}

TEST_P(Agreement, Transposes) {
  auto text = [](llvm::StringRef from, llvm::StringRef to,
                 llvm::StringRef empty, llvm::StringRef permutation) {
    return kernelText(llvm::formatv("%x: {0}", from).str(), to,
                      llvm::formatv(R"({2}
          %y = linalg.transpose ins(%x : {0}) outs(%init : {1})
              permutation = [{3}])",
                                    from, to, empty, permutation)
                          .str());
  };
  std::string heads = text("tensor<?x?x4x16xf32>", "tensor<?x4x?x16xf32>",
                           R"(%c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %b = tensor.dim %x, %c0 : tensor<?x?x4x16xf32>
      %s = tensor.dim %x, %c1 : tensor<?x?x4x16xf32>
      %init = tensor.empty(%b, %s) : tensor<?x4x?x16xf32>)",
                           "0, 2, 1, 3");
  check(heads, {{2, 7, 4, 16}});
  check(heads, {{1, 0, 4, 16}});
  check(heads, {{0, 3, 4, 16}});
  std::string turned = text("tensor<?x19xf32>", "tensor<19x?xf32>",
                            R"(%c0 = arith.constant 0 : index
      %b = tensor.dim %x, %c0 : tensor<?x19xf32>
      %init = tensor.empty(%b) : tensor<19x?xf32>)",
                            "1, 0");
  for (int64_t size : {0, 1, 16, 21})
    check(turned, {{size, 19}});
  check(text("tensor<2x3x2x5x2x7xf32>", "tensor<2x2x2x3x5x7xf32>",
             "%init = tensor.empty() : tensor<2x2x2x3x5x7xf32>",
             "0, 2, 4, 1, 3, 5"),
        {{2, 3, 2, 5, 2, 7}});
}

TEST_P(Agreement, Reductions) {
  auto text = [](llvm::StringRef x, llvm::StringRef result,
                 llvm::StringRef empty, llvm::StringRef maps,
                 llvm::StringRef kinds) {
    std::string init = llvm::formatv(R"(%zero = arith.constant 0.5 : f32
        {0}
        %init = linalg.fill ins(%zero : f32) outs(%empty : {1}) -> {1})",
                                     empty, result)
                           .str();
    return genericText(llvm::formatv("%x: {0}", x).str(), result, init, maps,
                       kinds, llvm::formatv("%x : {0}", x).str(),
                       R"(^bb0(%a: f32, %o: f32):
           %0 = arith.mulf %a, %a : f32 %1 = arith.addf %0, %o : f32
           linalg.yield %1 : f32)");
  };
  std::string middle = text(
      "tensor<?x?x33xf32>", "tensor<?x33xf32>",
      R"(%c0 = arith.constant 0 : index
         %b = tensor.dim %x, %c0 : tensor<?x?x33xf32>
         %empty = tensor.empty(%b) : tensor<?x33xf32>)",
      "affine_map<(b, s, d) -> (b, s, d)>, affine_map<(b, s, d) -> (b, d)>",
      R"("parallel", "reduction", "parallel")");
  check(middle, {{3, 7, 33}}, 1e-5);
  check(middle, {{2, 0, 33}});
  std::string last =
      text("tensor<?x17xf32>", "tensor<?xf32>",
           R"(%c0 = arith.constant 0 : index
         %b = tensor.dim %x, %c0 : tensor<?x17xf32>
         %empty = tensor.empty(%b) : tensor<?xf32>)",
           "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> (b)>",
           R"("parallel", "reduction")");
  for (int64_t size : {0, 1, 16, 40})
    check(last, {{size, 17}}, 1e-5);
  std::string kept =
      text("tensor<5x17xf32>", "tensor<5x1xf32>",
           "%empty = tensor.empty() : tensor<5x1xf32>",
           "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> (b, 0)>",
           R"("parallel", "reduction")");
  check(kept, {{5, 17}}, 1e-5);
  std::string all = text(
      "tensor<4x9xf32>", "tensor<f32>", "%empty = tensor.empty() : tensor<f32>",
      "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> ()>",
      R"("reduction", "reduction")");
  check(all, {{4, 9}}, 1e-5);
}

// Positions as RoBERTa counts them: how many tokens up to here are no padding.
TEST_P(Agreement, PositionsFromIntegers) {
  std::string text = genericText(
      "%x: tensor<?x?xi64>", "tensor<?x?xi64>",
      R"(%c0 = arith.constant 0 : index %c1 = arith.constant 1 : index
         %b = tensor.dim %x, %c0 : tensor<?x?xi64>
         %s = tensor.dim %x, %c1 : tensor<?x?xi64>
         %zero = arith.constant 0 : i64
         %one = arith.constant 1 : i64
         %empty = tensor.empty(%b, %s) : tensor<?x?xi64>
         %init = linalg.fill ins(%zero : i64) outs(%empty : tensor<?x?xi64>)
             -> tensor<?x?xi64>)",
      "affine_map<(b, i, j) -> (b, j)>, affine_map<(b, i, j) -> (b, i)>",
      R"("parallel", "parallel", "reduction")", "%x : tensor<?x?xi64>",
      R"(^bb0(%id: i64, %sum: i64):
         %i = linalg.index 1 : index %j = linalg.index 2 : index
         %past = arith.cmpi ule, %j, %i : index
         %real = arith.cmpi ne, %id, %one : i64
         %both = arith.andi %past, %real : i1
         %n = arith.extui %both : i1 to i64
         %0 = arith.addi %sum, %n : i64
         linalg.yield %0 : i64)");
  check(text, {{2, 21}});
  check(text, {{3, 1}});
  check(text, {{1, 0}});
}

TEST_P(Agreement, BitsAndFloatsFromIntegers) {
  check(
      genericText("%x: tensor<3x21xi64>", "tensor<3x21xi1>",
                  R"(%init = tensor.empty() : tensor<3x21xi1>
                       %zero = arith.constant 0 : i64)",
                  "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> (b, d)>",
                  R"("parallel", "parallel")", "%x : tensor<3x21xi64>",
                  R"(^bb0(%a: i64, %o: i1):
           %0 = arith.cmpi sgt, %a, %zero : i64 linalg.yield %0 : i1)"),
      {{3, 21}});
  check(genericText(
            "%x: tensor<3x21xi1>, %z: tensor<3x21xi64>", "tensor<3x21xf32>",
            R"(%init = tensor.empty() : tensor<3x21xf32>)",
            "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> (b, d)>, "
            "affine_map<(b, d) -> (b, d)>",
            R"("parallel", "parallel")",
            "%x, %z : tensor<3x21xi1>, tensor<3x21xi64>",
            R"(^bb0(%p: i1, %a: i64, %o: f32):
           %0 = arith.sitofp %a : i64 to f32
           %c = arith.constant -1.0 : f32
           %1 = arith.select %p, %0, %c : f32 linalg.yield %1 : f32)"),
        {{3, 21}, {3, 21}});
  check(
      genericText("%x: tensor<3x21xi64>", "tensor<3x21xf32>",
                  R"(%init = tensor.empty() : tensor<3x21xf32>)",
                  "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> (b, d)>",
                  R"("parallel", "parallel")", "%x : tensor<3x21xi64>",
                  R"(^bb0(%a: i64, %o: f32):
           %0 = arith.sitofp %a : i64 to f32 linalg.yield %0 : f32)"),
      {{3, 21}});
}

/// Random values of every size below 2^29, and integers of f32 beyond all i64.
static float farAway(float x) {
  return std::ldexp(x, int(std::abs(x) * 1000) % 27);
}
static float anySize(float x) {
  if (std::abs(x) < 0.2)
    return x < 0 ? -INFINITY : NAN;
  return std::ldexp(x, int(std::abs(x) * 1000) % 70);
}

TEST_P(Agreement, SineAndCosineOfFarAngles) {
  for (const char *function : {"sin", "cos"})
    for (int64_t width : {1, 7, 197})
      check(
          genericText(
              llvm::formatv("%x: tensor<5x{0}xf32>", width).str(),
              llvm::formatv("tensor<5x{0}xf32>", width).str(),
              llvm::formatv("%init = tensor.empty() : tensor<5x{0}xf32>", width)
                  .str(),
              "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> (b, d)>",
              R"("parallel", "parallel")",
              llvm::formatv("%x : tensor<5x{0}xf32>", width).str(),
              llvm::formatv(R"(^bb0(%a: f32, %o: f32):
           %0 = math.{0} %a : f32 linalg.yield %0 : f32)",
                            function)
                  .str()),
          {{5, width}}, 1.5e-7, farAway);
}

TEST_P(Agreement, IntegersFromFloats) {
  check(
      genericText("%x: tensor<9x21xf32>", "tensor<9x21xi64>",
                  R"(%init = tensor.empty() : tensor<9x21xi64>
                     %low = arith.constant -4.611686018427387904e18 : f32
                     %high = arith.constant 4.611686018427387904e18 : f32)",
                  "affine_map<(b, d) -> (b, d)>, affine_map<(b, d) -> (b, d)>",
                  R"("parallel", "parallel")", "%x : tensor<9x21xf32>",
                  R"(^bb0(%a: f32, %o: i64):
           %0 = arith.maxnumf %a, %low : f32
           %1 = arith.minnumf %0, %high : f32
           %2 = arith.fptosi %1 : f32 to i64 linalg.yield %2 : i64)"),
      {{9, 21}}, 0, anySize);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

TEST_P(Agreement, Norms) {
  for (int64_t width : {1, 7, 16, 33, 197}) {
    std::string type = llvm::formatv("tensor<?x?x{0}xf32>", width);
    std::string row = llvm::formatv("tensor<{0}xf32>", width);
    std::string affine = llvm::formatv("%x: {0}, %g: {1}, %b: {1}", type, row);
    check(kernelText(affine, type,
                     llvm::formatv("%y = attn.layer_norm %x scale(%g : {0}) "
                                   "shift(%b : {0}) eps 1.0e-5 : {1}",
                                   row, type)
                         .str()),
          {{2, 3, width}, {width}, {width}}, 1e-5);
    std::string plain = llvm::formatv("%x: {0}", type);
    check(kernelText(
              plain, type,
              llvm::formatv("%y = attn.layer_norm %x eps 1.0e-3 : {0}", type)
                  .str()),
          {{1, 2, width}}, 1e-5);
    check(kernelText(llvm::formatv("%x: {0}, %g: {1}", type, row).str(), type,
                     llvm::formatv("%y = attn.rms_norm %x scale(%g : {0}) "
                                   "eps 1.0e-6 : {1}",
                                   row, type)
                         .str()),
          {{3, 0, width}, {width}}, 1e-5);
    check(
        kernelText(plain, type,
                   llvm::formatv("%y = attn.rms_norm %x eps 1.0e-6 : {0}", type)
                       .str()),
        {{3, 1, width}}, 1e-5);
  }
  check(kernelText("%x: tensor<?x6x10xf32>, %g: tensor<6x10xf32>",
                   "tensor<?x6x10xf32>",
                   "%y = attn.layer_norm %x scale(%g : tensor<6x10xf32>) "
                   "eps 1.0e-5 axes 2 : tensor<?x6x10xf32>"),
        {{3, 6, 10}, {6, 10}}, 1e-5);
  check(kernelText("%x: tensor<6x10xf32>", "tensor<6x10xf32>",
                   "%y = attn.layer_norm %x eps 1.0e-5 axes 2 : "
                   "tensor<6x10xf32>"),
        {{6, 10}}, 1e-5);
}

TEST_P(Agreement, SoftmaxAlongEveryAxis) {
  for (int axis : {0, 1, 2}) {
    std::string text =
        kernelText("%x: tensor<?x?x?xf32>", "tensor<?x?x?xf32>",
                   llvm::formatv("%y = attn.softmax %x axis {0} : "
                                 "tensor<?x?x?xf32>",
                                 axis)
                       .str());
    check(text, {{3, 5, 33}});
    check(text, {{2, 1, 1}});
    check(text, {{1, 17, 16}});
    check(text, {{2, 0, 3}});
  }
}

// Masked scores weigh exactly 0; a row of nothing else is NaN, as is one with
// NaN.
TEST_P(Agreement, SoftmaxOfInfinitiesAndNan) {
  auto masked = [](float x) { return x < 0.5f ? -INFINITY : x; };
  auto broken = [](float x) { return x > 2.0f ? NAN : x * 1e4f; };
  for (int axis : {0, 1}) {
    std::string text = kernelText(
        "%x: tensor<?x?xf32>", "tensor<?x?xf32>",
        llvm::formatv("%y = attn.softmax %x axis {0} : tensor<?x?xf32>", axis)
            .str());
    for (int64_t size : {1, 3, 19, 40}) {
      check(text, {{9, size}}, 2e-6, masked);
      check(text, {{size, 7}}, 2e-6, broken);
    }
  }
}

// A residual's memory may become the result's.
TEST_P(Agreement, MapInPlace) {
  CompiledKernel kernel = compile(genericText(
      "%x: tensor<?xf32>, %z: tensor<?xf32>", "tensor<?xf32>",
      R"(%c0 = arith.constant 0 : index
         %b = tensor.dim %x, %c0 : tensor<?xf32>
         %init = tensor.empty(%b) : tensor<?xf32>)",
      "affine_map<(d) -> (d)>, affine_map<(d) -> (d)>, affine_map<(d) -> (d)>",
      R"("parallel")", "%x, %z : tensor<?xf32>, tensor<?xf32>",
      R"(^bb0(%a: f32, %c: f32, %o: f32):
         %0 = arith.subf %c, %a : f32 linalg.yield %0 : f32)"));
  int64_t count = 3001;
  auto x = normal(count), z = normal(count);
  GuardedBuffer first(x), second(z);
  std::vector<int64_t> sizes = {count};
  kernel.run(
      {{first.data(), sizes}, {second.data(), sizes}, {second.data(), sizes}},
      /*slots=*/3);
  for (int64_t i = 0; i < count; ++i)
    ASSERT_EQ(second.data()[i], z[i] - x[i]) << "element " << i;
}

TEST_P(Agreement, EmbeddingClampsIds) {
  check(kernelText("%i: tensor<?x?xi64>, %t: tensor<9x33xf32>",
                   "tensor<?x?x33xf32>",
                   "%y = attn.embedding %i, %t : tensor<?x?xi64>, "
                   "tensor<9x33xf32> -> tensor<?x?x33xf32>"),
        {{4, 7}, {9, 33}});
}

// A table that a linear reads too is stored as panels only.
TEST_P(Agreement, EmbeddingReadsPanels) {
  CompiledKernel kernel = compile(
      kernelText("%i: tensor<?xi64>, %t: tensor<37x33xf32> {attn.layout = "
                 "#attn.panels<16>}",
                 "tensor<?x33xf32>",
                 "%y = attn.embedding %i, %t : tensor<?xi64>, "
                 "tensor<37x33xf32> -> tensor<?x33xf32>"));
  auto table = normal(37 * 33);
  auto packed = packPanels(table, 37, 33);
  std::vector<int64_t> ids = {0, 36, 15, 16, 17, 36, -5, 99};
  for (int64_t slots : {1, 3}) {
    GuardedBuffer panels(packed), out(ids.size() * 33);
    kernel.run({{ids.data(), {int64_t(ids.size())}},
                {panels.data(), {}},
                {out.data(), {int64_t(ids.size())}}},
               slots);
    for (size_t i = 0; i < ids.size(); ++i)
      for (int64_t c = 0; c < 33; ++c)
        ASSERT_EQ(out.data()[i * 33 + c],
                  table[std::clamp<int64_t>(ids[i], 0, 36) * 33 + c])
            << "id " << ids[i] << ", column " << c;
  }
}

//===----------------------------------------------------------------------===//
// Copies and products
//===----------------------------------------------------------------------===//

TEST_P(Agreement, Concatenations) {
  std::string rows = kernelText(
      "%x: tensor<?x1x33xf32>, %z: tensor<?x?x33xf32>", "tensor<?x?x33xf32>",
      "%y = tensor.concat dim(1) %x, %z : (tensor<?x1x33xf32>, "
      "tensor<?x?x33xf32>) -> tensor<?x?x33xf32>");
  check(rows, {{3, 1, 33}, {3, 6, 33}});
  check(rows, {{1, 1, 33}, {1, 0, 33}});
  check(kernelText(
            "%x: tensor<?x7xf32>, %z: tensor<?x20xf32>, %w: tensor<?x1xf32>",
            "tensor<?x28xf32>",
            "%y = tensor.concat dim(1) %x, %z, %w : (tensor<?x7xf32>, "
            "tensor<?x20xf32>, tensor<?x1xf32>) -> tensor<?x28xf32>"),
        {{5, 7}, {5, 20}, {5, 1}});
  check(kernelText("%x: tensor<?xi64>, %z: tensor<3xi64>", "tensor<?xi64>",
                   "%y = tensor.concat dim(0) %x, %z : (tensor<?xi64>, "
                   "tensor<3xi64>) -> tensor<?xi64>"),
        {{18}, {3}});
}

TEST_P(Agreement, Slices) {
  check(kernelText("%x: tensor<?x9x33xf32>", "tensor<?x33xf32>",
                   R"(%c0 = arith.constant 0 : index
         %b = tensor.dim %x, %c0 : tensor<?x9x33xf32>
         %y = tensor.extract_slice %x[0, 2, 0] [%b, 1, 33] [1, 1, 1]
             : tensor<?x9x33xf32> to tensor<?x33xf32>)"),
        {{4, 9, 33}});
  check(kernelText("%x: tensor<?x9x33xf32>", "tensor<?x4x20xf32>",
                   R"(%c0 = arith.constant 0 : index
         %b = tensor.dim %x, %c0 : tensor<?x9x33xf32>
         %y = tensor.extract_slice %x[0, 5, 3] [%b, 4, 20] [1, 1, 1]
             : tensor<?x9x33xf32> to tensor<?x4x20xf32>)"),
        {{3, 9, 33}});
  check(kernelText("%x: tensor<40x33xf32>", "tensor<24x33xf32>",
                   R"(%y = tensor.extract_slice %x[16, 0] [24, 33] [1, 1]
             : tensor<40x33xf32> to tensor<24x33xf32>)"),
        {{40, 33}});
}

TEST_P(Agreement, Products) {
  std::string plain = kernelText(
      "%x: tensor<?x2x?x?xf32>, %z: tensor<?x2x?x?xf32>", "tensor<?x2x?x?xf32>",
      "%y = attn.matmul %x, %z : tensor<?x2x?x?xf32>, tensor<?x2x?x?xf32> -> "
      "tensor<?x2x?x?xf32>");
  std::string transposed = kernelText(
      "%x: tensor<?x2x?x?xf32>, %z: tensor<?x2x?x?xf32>", "tensor<?x2x?x?xf32>",
      "%y = attn.matmul %x, %z transpose_b : tensor<?x2x?x?xf32>, "
      "tensor<?x2x?x?xf32> -> tensor<?x2x?x?xf32>");
  int64_t sizes[][3] = {{7, 33, 21}, {1, 16, 16}, {13, 1, 5}, {0, 4, 3},
                        {3, 0, 4},   {5, 4, 0},   {1, 1, 1}};
  for (auto [m, k, n] : sizes) {
    check(plain, {{2, 2, m, k}, {2, 2, k, n}}, 1e-5);
    check(transposed, {{1, 2, m, k}, {1, 2, n, k}}, 1e-5);
  }
  check(kernelText("%x: tensor<9x20xf32>, %z: tensor<20x17xf32>",
                   "tensor<9x17xf32>",
                   "%y = attn.matmul %x, %z : tensor<9x20xf32>, "
                   "tensor<20x17xf32> -> tensor<9x17xf32>"),
        {{9, 20}, {20, 17}}, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Targets, Agreement, ::testing::ValuesIn(targetsHere()),
                         targetName);

} // namespace
