// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the plan and the body of a model function are built with: 64-bit words,
// sizes, and the argument blocks of kernels.

#ifndef ATTN_CODEGEN_CPU_MODEL_FUNCTIONBUILDER_H
#define ATTN_CODEGEN_CPU_MODEL_FUNCTIONBUILDER_H

#include "codegen/cpu/KernelAbi.h"
#include "codegen/target/TargetSpec.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/plan/SymbolicShapes.h"

namespace attn::cpu {

/// Builds 64-bit arithmetic and memory access in an LLVM function.
class WordBuilder {
public:
  WordBuilder(mlir::MLIRContext *context, mlir::Location loc)
      : builder(context), loc(loc), word(builder.getI64Type()),
        pointer(mlir::LLVM::LLVMPointerType::get(context)) {}

  mlir::Value constant(int64_t value) {
    return mlir::LLVM::ConstantOp::create(builder, loc, word, value);
  }
  mlir::Value null() {
    return mlir::LLVM::ZeroOp::create(builder, loc, pointer);
  }
  mlir::Value at(mlir::Value base, mlir::Value byteOffset) {
    return mlir::LLVM::GEPOp::create(
        builder, loc, pointer, builder.getI8Type(), base,
        llvm::ArrayRef<mlir::LLVM::GEPArg>{byteOffset});
  }
  mlir::Value at(mlir::Value base, int64_t word) {
    return at(base, constant(word * kWordBytes));
  }
  mlir::Value loadWord(mlir::Value base, int64_t index) {
    return mlir::LLVM::LoadOp::create(builder, loc, word, at(base, index));
  }
  mlir::Value loadPointer(mlir::Value base, int64_t index) {
    return mlir::LLVM::LoadOp::create(builder, loc, pointer, at(base, index));
  }
  void store(mlir::Value value, mlir::Value base, int64_t index) {
    mlir::LLVM::StoreOp::create(builder, loc, value, at(base, index));
  }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return mlir::LLVM::AddOp::create(builder, loc, a, b);
  }
  mlir::Value subtract(mlir::Value a, mlir::Value b) {
    return mlir::LLVM::SubOp::create(builder, loc, a, b);
  }
  mlir::Value multiply(mlir::Value a, mlir::Value b) {
    return mlir::LLVM::MulOp::create(builder, loc, a, b);
  }
  /// A block of `words` words on the stack.
  mlir::Value stackBlock(int64_t words) {
    return mlir::LLVM::AllocaOp::create(builder, loc, pointer, word,
                                        constant(words),
                                        /*alignment=*/16);
  }

  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::Type word;
  mlir::Type pointer;
};

/// Evaluates polynomials in the dynamic dimensions.
class SizeBuilder {
public:
  SizeBuilder(WordBuilder &words, mlir::Value dims)
      : words(words), dims(dims) {}

  mlir::Value get(const DimExpr &value) {
    mlir::Value sum = words.constant(0);
    for (const auto &[monomial, coefficient] : value.terms()) {
      mlir::Value product = words.constant(coefficient);
      for (unsigned symbol : monomial)
        product = words.multiply(product, words.loadWord(dims, symbol));
      sum = words.add(sum, product);
    }
    return sum;
  }

private:
  WordBuilder &words;
  mlir::Value dims;
};

/// The most words that the argument block of any launch of the model has.
int64_t largestBlock(mlir::func::FuncOp model);

/// What both functions share: the model and the sizes of its tensors.
class FunctionBuilder {
public:
  FunctionBuilder(mlir::func::FuncOp model, const SymbolicShapes &shapes)
      : model(model), shapes(shapes),
        words(model.getContext(), model.getLoc()) {}

protected:
  /// A function before the model; what is built next goes into it.
  mlir::LLVM::LLVMFuncOp createFunction(llvm::StringRef name, mlir::Type result,
                                        llvm::ArrayRef<mlir::Type> arguments);

  /// Writes an operand's pointer and dynamic dimensions from `word` on, and
  /// returns the next word.
  int64_t storeOperand(mlir::Value block, int64_t word, mlir::Value tensor,
                       mlir::Value data, SizeBuilder &sizes) {
    words.store(data, block, word++);
    auto type = llvm::cast<mlir::RankedTensorType>(tensor.getType());
    for (auto [i, dim] : llvm::enumerate(shapes.shapeOf(tensor)))
      if (type.isDynamicDim(i))
        words.store(sizes.get(dim), block, word++);
    return word;
  }

  mlir::func::FuncOp model;
  const SymbolicShapes &shapes;
  WordBuilder words;
};

/// int64_t plan(const int64_t *dims, int64_t slots, int64_t *offsets), which
/// gives the bytes of the workspace, or -1 where they pass 63 bits.
mlir::LogicalResult buildPlan(mlir::func::FuncOp model,
                              const SymbolicShapes &shapes,
                              llvm::StringRef name);

/// int32_t body(const attn_frame *frame), which hands each launch to the
/// executor in turn: with all of its slots, or one where that is faster.
mlir::LogicalResult buildBody(mlir::func::FuncOp model,
                              const SymbolicShapes &shapes,
                              const TargetSpec &target, llvm::StringRef name);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_MODEL_FUNCTIONBUILDER_H
