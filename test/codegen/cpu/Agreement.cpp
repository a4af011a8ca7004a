// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a kernel and the reference on the same random arguments.

#include "test/codegen/cpu/Agreement.h"

#include "codegen/reference/Evaluator.h"
#include "dialect/AttnDialect.h"
#include "mlir/Parser/Parser.h"

#include <cstring>

using namespace attn;
using namespace attn::test;
using reference::Array;

namespace {

/// An argument or result in memory, as the kernel sees it.
class Tensor {
public:
  Tensor(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape)
      : type(type), shape(shape), count(*Array::count(shape)),
        buffer((count * bytesPerElement() + 3) / 4) {}

  Operand operand() const {
    Operand result{address(), {}};
    for (auto [d, size] : llvm::enumerate(shape))
      if (type.isDynamicDim(d))
        result.dynamicSizes.push_back(size);
    return result;
  }
  Array fill(std::mt19937 &random, Change change);
  void poison() { std::memset(buffer.data(), 0xff, buffer.size() * 4); }
  void compare(const Array &expected, double tolerance) const;
  std::string bits() const {
    return {static_cast<const char *>(address()), count * bytesPerElement()};
  }

private:
  size_t bytesPerElement() const {
    return (type.getElementTypeBitWidth() + 7) / 8;
  }
  bool isFloat() const { return type.getElementType().isF32(); }
  /// Elements end where the guard page begins.
  char *address() const {
    return reinterpret_cast<char *>(buffer.data() + buffer.size()) -
           count * bytesPerElement();
  }
  int64_t integerAt(size_t i) const {
    int64_t value = 0;
    std::memcpy(&value, address() + i * bytesPerElement(), bytesPerElement());
    return value;
  }

  mlir::RankedTensorType type;
  llvm::SmallVector<int64_t> shape;
  size_t count;
  GuardedBuffer buffer;
};

/// Normal floats, changed by `change`; small integers of both signs; bits.
Array Tensor::fill(std::mt19937 &random, Change change) {
  if (isFloat()) {
    std::normal_distribution<float> normal;
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) {
      float value = change(normal(random));
      std::memcpy(address() + i * 4, &value, 4);
      values[i] = value;
    }
    return Array::ofFloats(shape, std::move(values));
  }
  bool isBit = type.getElementTypeBitWidth() == 1;
  std::uniform_int_distribution<int64_t> distribution(isBit ? 0 : -2,
                                                      isBit ? 1 : 12);
  std::vector<int64_t> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = distribution(random);
    std::memcpy(address() + i * bytesPerElement(), &values[i],
                bytesPerElement());
  }
  return Array::ofIntegers(shape, std::move(values));
}

void Tensor::compare(const Array &expected, double tolerance) const {
  ASSERT_EQ(llvm::ArrayRef<int64_t>(shape), expected.shape());
  for (size_t i = 0; i < count; ++i) {
    if (!isFloat()) {
      ASSERT_EQ(integerAt(i), expected.integers()[i]) << "element " << i;
      continue;
    }
    float found;
    std::memcpy(&found, address() + i * 4, 4);
    double want = expected.floats()[i];
    bool same = found == want || (std::isnan(found) && std::isnan(want));
    ASSERT_TRUE(same ||
                std::abs(found - want) <= tolerance + 1e-5 * std::abs(want))
        << "element " << i << " is " << found << ", expected " << want;
  }
}

} // namespace

void Agreement::SetUp() {
  KernelTest::SetUp();
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  context.appendDialectRegistry(registry);
}

void Agreement::check(const std::string &text,
                      llvm::ArrayRef<llvm::SmallVector<int64_t>> shapes,
                      double tolerance, Change change) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  auto function = module->lookupSymbol<mlir::func::FuncOp>("kernel");
  std::vector<std::unique_ptr<Tensor>> tensors;
  llvm::SmallVector<Array> inputs;
  for (auto [type, shape] :
       llvm::zip_equal(function.getArgumentTypes(), shapes)) {
    tensors.push_back(std::make_unique<Tensor>(
        mlir::cast<mlir::RankedTensorType>(type), shape));
    inputs.push_back(tensors.back()->fill(random, change));
  }
  auto expected = reference::evaluateFunction(
      function, inputs,
      [](llvm::StringRef, mlir::RankedTensorType) -> llvm::Expected<Array> {
        return llvm::createStringError("a kernel has no weights");
      },
      [](llvm::StringRef, const Array &) {});
  ASSERT_TRUE(succeeded(expected));
  for (auto [type, array] :
       llvm::zip_equal(function.getResultTypes(), *expected))
    tensors.push_back(std::make_unique<Tensor>(
        mlir::cast<mlir::RankedTensorType>(type), array.shape()));

  llvm::SmallVector<Operand> operands;
  for (const auto &tensor : tensors)
    operands.push_back(tensor->operand());
  CompiledKernel kernel = compile(text);
  auto results = llvm::ArrayRef(tensors).drop_front(inputs.size());
  std::vector<std::string> bits;
  for (int64_t slots = 1; slots <= 4; ++slots) {
    for (const auto &result : results)
      result->poison();
    kernel.run(operands, slots);
    for (auto [i, result] : llvm::enumerate(results)) {
      result->compare((*expected)[i], tolerance);
      if (slots == 1)
        bits.push_back(result->bits());
      EXPECT_EQ(bits[i], result->bits()) << slots << " slots";
    }
  }
}
