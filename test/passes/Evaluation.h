// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluates a function before and after passes on the same pseudo-random input.

#ifndef ATTN_TEST_PASSES_EVALUATION_H
#define ATTN_TEST_PASSES_EVALUATION_H

#include "codegen/reference/Evaluator.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "gtest/gtest.h"
#include <cmath>

namespace attn::test {

/// Every dynamic dimension of an input, unless `sizes` names it.
inline constexpr int64_t kDynamicSize = 3;

/// Values in [-1, 1), or {0, 1} for integers with the first of each row 1, so
/// that no row of a mask keeps nothing. They depend on shape and seed alone.
inline reference::Array makeInput(mlir::RankedTensorType type, uint64_t seed,
                                  llvm::ArrayRef<int64_t> dynamicSizes) {
  llvm::SmallVector<int64_t> shape;
  for (int64_t size : type.getShape()) {
    bool isDynamic = mlir::ShapedType::isDynamic(size);
    if (isDynamic && !dynamicSizes.empty()) {
      size = dynamicSizes.front();
      dynamicSizes = dynamicSizes.drop_front();
    }
    shape.push_back(
        isDynamic && mlir::ShapedType::isDynamic(size) ? kDynamicSize : size);
  }
  int64_t count = *reference::Array::count(shape);
  uint64_t state = 0x9e3779b97f4a7c15u * (seed + 1);
  auto next = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
  };
  if (mlir::isa<mlir::FloatType>(type.getElementType())) {
    std::vector<double> values(count);
    for (double &value : values)
      value = static_cast<double>(next()) / (uint64_t(1) << 30) - 1;
    return reference::Array::ofFloats(shape, std::move(values));
  }
  std::vector<int64_t> values(count);
  int64_t width = shape.empty() ? 1 : shape.back();
  for (int64_t index = 0; index < count; ++index)
    values[index] = index % width == 0 || next() % 2;
  return reference::Array::ofIntegers(shape, std::move(values));
}

/// Weights are inputs whose seed is their name's.
inline llvm::Expected<reference::Array>
makeWeight(llvm::StringRef name, mlir::RankedTensorType expected) {
  return makeInput(expected, llvm::hash_value(name), {});
}

inline llvm::SmallVector<reference::Array>
evaluate(mlir::func::FuncOp function,
         llvm::ArrayRef<llvm::SmallVector<int64_t>> sizes = {}) {
  llvm::SmallVector<reference::Array> inputs;
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes()))
    inputs.push_back(makeInput(mlir::cast<mlir::RankedTensorType>(type), index,
                               index < sizes.size()
                                   ? llvm::ArrayRef<int64_t>(sizes[index])
                                   : llvm::ArrayRef<int64_t>()));
  auto results = reference::evaluateFunction(
      function, inputs, makeWeight,
      [](llvm::StringRef, const reference::Array &) {});
  EXPECT_TRUE(mlir::succeeded(results)) << function.getName().str();
  return mlir::succeeded(results) ? *results
                                  : llvm::SmallVector<reference::Array>();
}

/// Passes may round constants to f32 once where the graph rounds each, and
/// nothing else: the evaluation itself is in f64.
inline constexpr double kTolerance = 1e-6;

inline void expectAgreement(llvm::ArrayRef<reference::Array> before,
                            llvm::ArrayRef<reference::Array> after) {
  ASSERT_EQ(before.size(), after.size());
  for (auto [expected, found] : llvm::zip_equal(before, after)) {
    ASSERT_EQ(expected.shape(), found.shape());
    ASSERT_TRUE(expected.isFloat() && found.isFloat());
    for (auto [x, y] : llvm::zip_equal(expected.floats(), found.floats())) {
      ASSERT_FALSE(std::isnan(x));
      ASSERT_NEAR(x, y, kTolerance * (1 + std::abs(x)));
    }
  }
}

} // namespace attn::test

#endif // ATTN_TEST_PASSES_EVALUATION_H
