// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What lands in the weights file: weights behind transposes, slices and
// reshapes, in rows and in panels.

#include "codegen/package/PackParameters.h"
#include "codegen/package/WeightView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "test/codegen/package/Temporary.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

using namespace attn;
using attn::test::TemporaryFolder;

namespace {

constexpr int64_t kRows = 150, kColumns = 35;

class PackParameters : public testing::Test {
protected:
  PackParameters() : tensors("test") {
    mlir::DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    std::vector<float> values(kRows * kColumns);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = element(i);
    int64_t shape[] = {kRows, kColumns};
    tensors.insert("w", weights::Tensor::fromF32(shape, values), nullptr);
  }

  static float element(int64_t i) { return static_cast<float>(i) + 0.5f; }

  /// The floats of the file of one parameter: `expression` of %w, of `type`.
  std::vector<float> pack(llvm::StringRef expression, llvm::StringRef type,
                          llvm::StringRef layout = "") {
    std::string text =
        llvm::formatv("attn.parameter @p : {0} {1} {{ %w = attn.weight \"w\" : "
                      "tensor<{2}x{3}xf32> {4} attn.yield %y : {0} }",
                      type, layout, kRows, kColumns, expression);
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module) {
      ADD_FAILURE() << "cannot parse " << text;
      return {};
    }
    auto parameter = *module->getOps<ParameterOp>().begin();
    parameter->setAttr(kOffsetAttr,
                       mlir::Builder(&context).getI64IntegerAttr(0));
    auto view = package::viewOf(
        parameter.getBody().front().getTerminator()->getOperand(0), tensors);
    isView = llvm::cantFail(std::move(view)).has_value();
    TemporaryFolder folder;
    llvm::Error error = package::writeParameters(
        *module, tensors, folder.path("weights"), {}, [](uint64_t) {});
    if (error) {
      ADD_FAILURE() << llvm::toString(std::move(error));
      return {};
    }
    auto file =
        llvm::cantFail(package::WeightsFile::open(folder.path("weights")));
    std::vector<float> floats(file.entries()[0].bytes / sizeof(float));
    std::memcpy(floats.data(), file.data().data(),
                floats.size() * sizeof(float));
    return floats;
  }

  /// Checks [n, k] in panels of 16 against the element that `source` numbers.
  static void
  expectPanels(const std::vector<float> &floats, int64_t n, int64_t k,
               llvm::function_ref<int64_t(int64_t, int64_t)> source) {
    ASSERT_EQ(floats.size(), size_t((n + 15) / 16 * 16 * k));
    for (int64_t row = 0; row < (n + 15) / 16 * 16; ++row)
      for (int64_t i = 0; i < k; ++i)
        ASSERT_EQ(floats[(row / 16 * k + i) * 16 + row % 16],
                  row < n ? element(source(row, i)) : 0.0f)
            << "row " << row << ", column " << i;
  }

  mlir::MLIRContext context;
  weights::TensorTable tensors;
  bool isView = false; ///< of the last parameter
};

constexpr llvm::StringLiteral kTurned =
    "%e = tensor.empty() : tensor<35x150xf32> "
    "%y = linalg.transpose ins(%w : tensor<150x35xf32>) "
    "outs(%e : tensor<35x150xf32>) permutation = [1, 0]";

TEST_F(PackParameters, TransposesInRowsAndPanels) {
  auto rows = pack(kTurned, "tensor<35x150xf32>");
  EXPECT_TRUE(isView);
  for (int64_t i = 0; i < 35; ++i)
    for (int64_t j = 0; j < 150; ++j)
      ASSERT_EQ(rows[i * 150 + j], element(j * 35 + i));
  auto panels = pack(kTurned, "tensor<35x150xf32>", "layout(#attn.panels<16>)");
  EXPECT_TRUE(isView);
  expectPanels(panels, 35, 150,
               [](int64_t row, int64_t i) { return i * 35 + row; });
}

TEST_F(PackParameters, TransposesOfManyPanels) {
  // Seen as [25, 210], so that its transpose has 210 rows, and a slice
  // of them that no panel ends with.
  std::string expression =
      "%c = tensor.collapse_shape %w [[0, 1]] : tensor<150x35xf32> into "
      "tensor<5250xf32> "
      "%x = tensor.expand_shape %c [[0, 1]] output_shape [25, 210] : "
      "tensor<5250xf32> into tensor<25x210xf32> "
      "%e = tensor.empty() : tensor<210x25xf32> "
      "%t = linalg.transpose ins(%x : tensor<25x210xf32>) outs(%e : "
      "tensor<210x25xf32>) permutation = [1, 0] "
      "%y = tensor.extract_slice %t[3, 0] [203, 25] [1, 1] : "
      "tensor<210x25xf32> to tensor<203x25xf32>";
  auto panels =
      pack(expression, "tensor<203x25xf32>", "layout(#attn.panels<16>)");
  EXPECT_TRUE(isView);
  expectPanels(panels, 203, 25,
               [](int64_t row, int64_t i) { return i * 210 + row + 3; });
}

TEST_F(PackParameters, SlicesWithStrides) {
  auto rows = pack("%y = tensor.extract_slice %w[4, 1] [20, 1] [7, 1] : "
                   "tensor<150x35xf32> to tensor<20xf32>",
                   "tensor<20xf32>");
  EXPECT_TRUE(isView);
  ASSERT_EQ(rows.size(), 20u);
  for (int64_t i = 0; i < 20; ++i)
    EXPECT_EQ(rows[i], element((4 + 7 * i) * 35 + 1));
}

// Of an f32 that bf16 holds the upper half is stored.
TEST_F(PackParameters, PanelsOfBf16) {
  auto pairs = pack("%y = tensor.extract_slice %w[0, 0] [3, 35] [1, 1] : "
                    "tensor<150x35xf32> to tensor<3x35xf32>",
                    "tensor<3x35xf32>", "layout(#attn.panels<16, bf16>)");
  std::vector<float> floats;
  for (float pair : pairs)
    for (int half : {0, 16}) {
      uint32_t word = llvm::bit_cast<uint32_t>(pair) >> half << 16;
      floats.push_back(llvm::bit_cast<float>(word));
    }
  expectPanels(floats, 3, 35,
               [](int64_t row, int64_t i) { return row * 35 + i; });
}

// A reshape of what does not lie together is evaluated, with equal elements.
TEST_F(PackParameters, ReshapesOfTransposesAreEvaluated) {
  auto flat = pack(kTurned.str().replace(kTurned.str().find("%y"), 2, "%t") +
                       " %y = tensor.collapse_shape %t [[0, 1]] : "
                       "tensor<35x150xf32> into tensor<5250xf32>",
                   "tensor<5250xf32>");
  EXPECT_FALSE(isView);
  ASSERT_EQ(flat.size(), 5250u);
  for (int64_t i = 0; i < 5250; ++i)
    ASSERT_EQ(flat[i], element(i % 150 * 35 + i / 150));
}

} // namespace
