// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights, parameters and launches: what a model refers to by name.

#include "dialect/AttnOps.h"
#include "dialect/Verify.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace attn;

LogicalResult WeightOp::verify() {
  if (getName().empty())
    return emitOpError("expects 'name' to name a tensor, but it is empty");
  if (getStored() && !getStored()->isBF16())
    return emitOpError("expects 'stored' to be bf16, but got ") << *getStored();
  return expectStaticShape(*this, {"result", getResult()});
}

LogicalResult ParameterOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitOpError("expects 'type' to have a static shape, but got ")
           << type;
  if (isa_and_nonnull<PanelsAttr>(getLayoutAttr()) && type.getRank() != 2)
    return emitOpError("expects a matrix for the layout ")
           << getLayoutAttr() << ", but got " << type;
  return success();
}

LogicalResult ParameterOp::verifyRegions() {
  return expectRegion(*this, getBody(), "body", {}, getType());
}

LogicalResult GetParameterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ArrayAttr names = getParameters();
  if (names.empty())
    return emitOpError("expects at least one parameter");
  if ((names.size() > 1) != static_cast<bool>(getIndex()))
    return emitOpError("expects an index exactly when there are several "
                       "parameters, but got ")
           << names.size() << (getIndex() ? " and an index" : " and no index");
  ParameterOp first;
  for (auto name : names.getAsRange<FlatSymbolRefAttr>()) {
    auto parameter =
        symbols.lookupNearestSymbolFrom<ParameterOp>(getOperation(), name);
    if (!parameter)
      return emitOpError("expects an 'attn.parameter' named ") << name;
    if (parameter.getType() != getResult().getType())
      return emitOpError("expects the result to have the type of ")
             << name << ", but got " << getResult().getType() << " and "
             << parameter.getType();
    if (!first)
      first = parameter;
    if (parameter.getLayoutAttr() != first.getLayoutAttr())
      return emitOpError("expects one layout, but ")
             << names[0] << " and " << name << " differ";
  }
  return success();
}

/// A kernel that code generation has lowered: a task on an argument block.
static bool isLoweredKernel(Operation *symbol) {
  auto function = dyn_cast_or_null<FunctionOpInterface>(symbol);
  return function && function.getNumArguments() > 0 &&
         llvm::none_of(function.getArgumentTypes(), llvm::IsaPred<ShapedType>);
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *symbol =
      symbols.lookupNearestSymbolFrom(getOperation(), getKernelAttr());
  if (isLoweredKernel(symbol))
    return success();
  auto kernel = dyn_cast_or_null<func::FuncOp>(symbol);
  if (!kernel || !kernel->hasAttr(kKernelAttr))
    return emitOpError("expects a function marked '")
           << kKernelAttr << "' named " << getKernelAttr();
  auto type = FunctionType::get(getContext(), getInputs().getTypes(),
                                getOutputs().getTypes());
  if (kernel.getFunctionType() == type)
    return success();
  InFlightDiagnostic diagnostic = emitOpError("expects the type of ")
                                  << getKernelAttr() << ", "
                                  << kernel.getFunctionType() << ", but got "
                                  << type;
  diagnostic.attachNote(kernel.getLoc()) << "the kernel is here";
  return diagnostic;
}

void LaunchOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  if (getOperation()->hasAttr(kInPlaceAttr))
    effects.emplace_back(MemoryEffects::Write::get());
}
