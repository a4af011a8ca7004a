// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors as the reference's arrays, and back by name.

#include "tools/attnc/engine/ReferenceModel.h"

#include "dialect/AttnOps.h"
#include "tools/attnc/engine/Cache.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

Expected<std::unique_ptr<Engine>> attn::tool::openBesideReference(
    frontend::Model &model, const CompilerOptions &options, size_t threads) {
  mlir::OwningOpRef<mlir::ModuleOp> original = model.module->clone();
  auto library = compileCached(model, options);
  if (!library)
    return library.takeError();
  model.module = std::move(original);
  return Engine::open(*library, threads);
}

static Expected<reference::Array> toArray(const weights::Tensor &tensor) {
  if (weights::isFloatingPoint(tensor.type)) {
    std::vector<double> values(tensor.elements());
    weights::readAsF64(tensor, 0, values);
    return reference::Array::ofFloats(tensor.shape, std::move(values));
  }
  std::vector<int64_t> values(tensor.elements());
  weights::readAsI64(tensor, 0, values);
  return reference::Array::ofIntegers(tensor.shape, std::move(values));
}

Expected<std::map<std::string, reference::Array>>
attn::tool::evaluateReference(frontend::Model &model,
                              ArrayRef<weights::Tensor> inputs) {
  mlir::func::FuncOp function = model.function();
  SmallVector<reference::Array> arguments;
  for (const weights::Tensor &input : inputs) {
    auto array = toArray(input);
    if (!array)
      return array.takeError();
    arguments.push_back(std::move(*array));
  }
  std::map<std::string, reference::Array> values;
  auto weights = [&](StringRef name,
                     mlir::RankedTensorType) -> Expected<reference::Array> {
    const weights::Tensor *tensor =
        model.weights ? model.weights->find(name) : nullptr;
    if (!tensor)
      return createStringError("tensor '" + name + "' is missing");
    return toArray(*tensor);
  };
  auto results = reference::evaluateFunction(
      function, arguments, weights,
      [&](StringRef name, const reference::Array &value) {
        values.emplace(name.str(), value);
      });
  if (failed(results))
    return createStringError("the reference cannot evaluate the model; the "
                             "reasons are above");
  for (auto [i, value] : enumerate(*results)) {
    auto name = function.getResultAttrOfType<mlir::StringAttr>(i, kNameAttr);
    values.insert_or_assign(name.getValue().str(), value);
  }
  return values;
}
