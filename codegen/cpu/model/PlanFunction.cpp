// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The memory plan as arithmetic: offsets and bytes of the workspace.

#include "codegen/cpu/model/FunctionBuilder.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// Buffers of the workspace start at multiples of a cache line.
constexpr int64_t kBufferAlignment = 64;

class PlanBuilder : FunctionBuilder {
public:
  using FunctionBuilder::FunctionBuilder;

  LogicalResult build(StringRef name) {
    auto bytes = model->getAttrOfType<ArrayAttr>(kBufferBytesAttr);
    auto function = createFunction(name, words.word,
                                   {words.pointer, words.word, words.pointer});
    dims = function.getArgument(0);
    Value slots = function.getArgument(1), offsets = function.getArgument(2);
    overflow = LLVM::ConstantOp::create(words.builder, words.loc,
                                        words.builder.getI1Type(), 0);
    Value total = words.constant(0);
    int64_t index = 0;
    for (auto map : bytes.getAsValueRange<AffineMapAttr>()) {
      words.store(total, offsets, index++);
      Value size = evaluate(map.getResult(0));
      rejectNegative(size);
      total = checkedAdd(total, alignUp(size));
    }
    Value scratch = largestScratch(slots);
    words.store(total, offsets, index++);
    words.store(scratch, offsets, index);
    total = checkedAdd(total, checkedMultiply(slots, scratch));
    Value result = LLVM::SelectOp::create(words.builder, words.loc, overflow,
                                          words.constant(-1), total);
    LLVM::ReturnOp::create(words.builder, words.loc, result);
    return success();
  }

private:
  Value checked(StringRef intrinsic, Value a, Value b) {
    auto pair = LLVM::LLVMStructType::getLiteral(
        model.getContext(), {words.word, words.builder.getI1Type()});
    Value both = LLVM::CallIntrinsicOp::create(
                     words.builder, words.loc, pair,
                     words.builder.getStringAttr(intrinsic), ValueRange{a, b})
                     ->getResult(0);
    overflow = LLVM::OrOp::create(
        words.builder, words.loc, overflow,
        LLVM::ExtractValueOp::create(words.builder, words.loc, both, 1));
    return LLVM::ExtractValueOp::create(words.builder, words.loc, both, 0);
  }
  Value checkedAdd(Value a, Value b) {
    return checked("llvm.sadd.with.overflow.i64", a, b);
  }
  Value checkedMultiply(Value a, Value b) {
    return checked("llvm.smul.with.overflow.i64", a, b);
  }
  /// A tensor that is one element too short for what is cut from it has a
  /// negative size.
  void rejectNegative(Value bytes) {
    Value isNegative =
        LLVM::ICmpOp::create(words.builder, words.loc, LLVM::ICmpPredicate::slt,
                             bytes, words.constant(0));
    overflow =
        LLVM::OrOp::create(words.builder, words.loc, overflow, isNegative);
  }
  Value alignUp(Value bytes) {
    Value padded = checkedAdd(bytes, words.constant(kBufferAlignment - 1));
    return LLVM::AndOp::create(words.builder, words.loc, padded,
                               words.constant(-kBufferAlignment));
  }

  Value evaluate(AffineExpr expr) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      return words.constant(constant.getValue());
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
      return words.loadWord(dims, symbol.getPosition());
    auto binary = cast<AffineBinaryOpExpr>(expr);
    Value a = evaluate(binary.getLHS()), b = evaluate(binary.getRHS());
    return binary.getKind() == AffineExprKind::Add ? checkedAdd(a, b)
                                                   : checkedMultiply(a, b);
  }

  /// One slot serves every kernel in turn.
  Value largestScratch(Value slots) {
    Value block = words.stackBlock(largestBlock(model));
    words.store(slots, block, kSlotsWord);
    SizeBuilder sizes(words, dims);
    Value largest = words.constant(0);
    model.walk([&](LaunchOp launch) {
      int64_t word = kFirstOperandWord;
      for (Value input : launch.getInputs())
        word = storeOperand(block, word, input, words.null(), sizes);
      for (Value output : launch.getOutputs())
        word = storeOperand(block, word, output, words.null(), sizes);
      Value bytes =
          LLVM::CallOp::create(words.builder, words.loc, words.word,
                               scratchFunctionName(launch.getKernel()), block)
              .getResult();
      largest = LLVM::SMaxOp::create(words.builder, words.loc, largest, bytes);
    });
    return alignUp(largest);
  }

  Value dims;
  Value overflow;
};

} // namespace

LogicalResult attn::cpu::buildPlan(func::FuncOp model,
                                   const SymbolicShapes &shapes,
                                   StringRef name) {
  return PlanBuilder(model, shapes).build(name);
}
