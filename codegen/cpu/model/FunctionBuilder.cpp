// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes argument blocks and opens functions.

#include "codegen/cpu/model/FunctionBuilder.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

int64_t attn::cpu::largestBlock(func::FuncOp model) {
  int64_t words = 0;
  model.walk([&](LaunchOp launch) {
    int64_t count = kFirstOperandWord;
    for (Type type : launch->getOperandTypes())
      count += operandWords(cast<RankedTensorType>(type));
    for (Type type : launch->getResultTypes())
      count += operandWords(cast<RankedTensorType>(type));
    words = std::max(words, count);
  });
  return words;
}

LLVM::LLVMFuncOp FunctionBuilder::createFunction(StringRef name, Type result,
                                                 ArrayRef<Type> arguments) {
  words.builder.setInsertionPoint(model);
  auto function =
      LLVM::LLVMFuncOp::create(words.builder, model.getLoc(), name,
                               LLVM::LLVMFunctionType::get(result, arguments));
  words.builder.setInsertionPointToStart(function.addEntryBlock(words.builder));
  return function;
}
