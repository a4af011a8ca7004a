// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes tapped values results of the model, for comparison with the reference.

#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "passes/plan/SymbolicShapes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn {
#define GEN_PASS_DEF_EXPOSETAPS
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

/// The names of a value's dimensions, or null where one is no named dimension.
ArrayAttr dimNames(Value value, const SymbolicShapes &shapes) {
  Builder builder(value.getContext());
  SmallVector<Attribute> names;
  for (const DimExpr &dim : shapes.shapeOf(value)) {
    if (dim.asConstant()) {
      names.push_back(builder.getStringAttr(""));
      continue;
    }
    unsigned symbol = 0, count = shapes.symbols().size();
    while (symbol < count && !(dim == DimExpr::symbol(symbol)))
      ++symbol;
    if (symbol == count)
      return {};
    names.push_back(builder.getStringAttr(shapes.symbols()[symbol]));
  }
  return builder.getArrayAttr(names);
}

struct ExposeTaps : attn::impl::ExposeTapsBase<ExposeTaps> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isDeclaration() || func->hasAttr(kKernelAttr))
      return;
    if (failed(verifyModelFunction(func)))
      return signalPassFailure();
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(func);
    if (failed(shapes))
      return signalPassFailure();
    auto terminator =
        cast<func::ReturnOp>(func.getBody().front().getTerminator());
    for (Operation &op : func.getBody().front()) {
      auto tap = op.getAttrOfType<StringAttr>(kTapAttr);
      if (!tap || op.getNumResults() == 0 ||
          !isa<RankedTensorType>(op.getResult(0).getType()))
        continue;
      ArrayAttr names = dimNames(op.getResult(0), *shapes);
      if (names)
        expose(func, terminator, op.getResult(0), tap, names);
    }
  }

  static void expose(func::FuncOp func, func::ReturnOp terminator, Value value,
                     StringAttr tap, ArrayAttr names) {
    Builder builder(func.getContext());
    auto attributes =
        builder.getDictionaryAttr({builder.getNamedAttr(kNameAttr, tap),
                                   builder.getNamedAttr(kDimsAttr, names)});
    if (failed(func.insertResult(func.getNumResults(), value.getType(),
                                 attributes)))
      llvm_unreachable("results of a model function can be added");
    terminator->insertOperands(terminator->getNumOperands(), value);
  }
};

} // namespace
