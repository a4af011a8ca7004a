// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks a planned model and replaces it by its plan and its body.

#include "codegen/cpu/model/ModelFunction.h"

#include "codegen/cpu/TargetPass.h"
#include "codegen/cpu/model/FunctionBuilder.h"
#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

std::string attn::cpu::planFunctionName(StringRef model, StringRef isa) {
  return (model + "_" + isa + "_plan").str();
}
std::string attn::cpu::bodyFunctionName(StringRef model, StringRef isa) {
  return (model + "_" + isa + "_body").str();
}

/// Two polynomials, or none.
static bool hasPlainWork(LaunchOp launch, size_t symbols) {
  Attribute attribute = launch->getAttr(kWorkAttr);
  auto work = dyn_cast_or_null<AffineMapAttr>(attribute);
  if (!work)
    return !attribute;
  AffineMap map = work.getValue();
  return map.getNumResults() == 2 && map.getNumSymbols() == symbols &&
         llvm::all_of(map.getResults(), [](AffineExpr result) {
           return DimExpr::fromAffine(result).has_value();
         });
}

/// Checks what the builders rely on: attributes are text like any other.
static LogicalResult verifyPlan(func::FuncOp model) {
  auto bytes = model->getAttrOfType<ArrayAttr>(kBufferBytesAttr);
  auto symbols = model->getAttrOfType<ArrayAttr>(kSymbolsAttr);
  if (!bytes || !symbols)
    return model.emitError("has no memory plan; run attn-plan-memory");
  for (Attribute entry : bytes) {
    auto map = dyn_cast<AffineMapAttr>(entry);
    if (!map || map.getValue().getNumResults() != 1 ||
        map.getValue().getNumSymbols() != symbols.size() ||
        !DimExpr::fromAffine(map.getValue().getResult(0)))
      return model.emitError("expects '")
             << kBufferBytesAttr << "' to hold one polynomial in "
             << symbols.size() << " symbols for each buffer";
  }
  int64_t buffers = bytes.size(), outputs = model.getNumResults();
  WalkResult result = model.walk([&](LaunchOp launch) -> WalkResult {
    if (!hasPlainWork(launch, symbols.size()))
      return launch.emitError("expects '")
             << kWorkAttr << "' to hold two polynomials in " << symbols.size()
             << " symbols";
    auto numbers = launch->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    if (numbers && launch->hasAttr(kShapesAttr) &&
        numbers.size() == launch->getNumResults() &&
        (isInPlace(launch) ||
         llvm::all_of(numbers.asArrayRef(), [&](int64_t number) {
           return number < buffers && number >= -outputs;
         })))
      return WalkResult::advance();
    return launch.emitError("expects '")
           << kShapesAttr << "' and, in '" << kBuffersAttr << "', one of "
           << buffers << " buffers or " << outputs
           << " outputs for each result";
  });
  if (result.wasInterrupted())
    return failure();
  result = model.walk([&](ScanOp scan) -> WalkResult {
    auto numbers = scan->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    if (numbers && numbers.size() == llvm::range_size(scan.getStacked()) &&
        llvm::all_of(numbers.asArrayRef(), [&](int64_t number) {
          return number < buffers && number >= -outputs;
        }))
      return WalkResult::advance();
    return scan.emitError("expects in '")
           << kBuffersAttr << "' one of " << buffers << " buffers or "
           << outputs << " outputs for each stacked result";
  });
  return failure(result.wasInterrupted());
}

LogicalResult attn::cpu::lowerModelFunction(func::FuncOp model,
                                            const TargetSpec &target) {
  if (failed(verifyModelFunction(model)) || failed(verifyPlan(model)))
    return failure();
  FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model);
  if (failed(shapes))
    return failure();
  StringRef name = model.getName(), isa = target.isa;
  if (failed(buildPlan(model, *shapes, planFunctionName(name, isa))) ||
      failed(buildBody(model, *shapes, target, bodyFunctionName(name, isa))))
    return failure();
  model.erase();
  return success();
}

namespace {
struct LowerModel : TargetPass<LowerModel> {
  using TargetPass::TargetPass;
  StringRef getArgument() const final { return "attn-cpu-lower-model"; }
  StringRef getDescription() const final {
    return "launches in loops => calls of the executor";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<LLVM::LLVMDialect>();
  }
  void runOnOperation() final {
    if (failed(resolveTarget()))
      return signalPassFailure();
    SmallVector<func::FuncOp> models;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(kBufferBytesAttr))
        models.push_back(function);
    for (func::FuncOp model : models)
      if (failed(lowerModelFunction(model, *target)))
        return signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass>
attn::cpu::createLowerModelPass(const TargetSpec &target) {
  return std::make_unique<LowerModel>(target);
}

void attn::cpu::registerLowerModelPass() { PassRegistration<LowerModel>(); }
