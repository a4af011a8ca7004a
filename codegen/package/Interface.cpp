// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads the interface of a model from its function's attributes, in the form
// that the dialect's verifier has checked.

#include "codegen/package/Interface.h"
#include "dialect/AttnDialect.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace attn::package {

namespace {

/// One argument or result with its attributes.
struct Boundary {
  const char *kind; // "argument" or "result"
  unsigned index;
  Type type;
  DictionaryAttr attributes;

  Attribute get(StringRef name) const {
    return attributes ? attributes.get(name) : Attribute();
  }
};

class InterfaceReader {
public:
  explicit InterfaceReader(func::FuncOp function) : function(function) {}
  FailureOr<ModelInterface> read();

private:
  InFlightDiagnostic fail(const Boundary &boundary) {
    return function.emitError()
           << boundary.kind << " #" << boundary.index << " ";
  }
  FailureOr<TensorInterface> readTensor(const Boundary &boundary);
  FailureOr<attn_dtype> readType(const Boundary &boundary);
  LogicalResult readShape(const Boundary &boundary, TensorInterface &tensor);
  LogicalResult readDimMax();
  LogicalResult checkNames();
  int64_t dimOf(StringRef name);

  func::FuncOp function;
  ModelInterface model;
};

} // namespace

FailureOr<ModelInterface> InterfaceReader::read() {
  model.name = function.getSymName().str();
  FunctionType type = function.getFunctionType();
  for (auto [i, argument] : llvm::enumerate(type.getInputs())) {
    auto tensor = readTensor({"argument", unsigned(i), argument,
                              function.getArgAttrDict(unsigned(i))});
    if (failed(tensor))
      return failure();
    model.inputs.push_back(*tensor);
  }
  for (auto [i, result] : llvm::enumerate(type.getResults())) {
    auto tensor = readTensor({"result", unsigned(i), result,
                              function.getResultAttrDict(unsigned(i))});
    if (failed(tensor))
      return failure();
    model.outputs.push_back(*tensor);
  }
  if (failed(readDimMax()) || failed(checkNames()))
    return failure();
  return std::move(model);
}

FailureOr<TensorInterface>
InterfaceReader::readTensor(const Boundary &boundary) {
  TensorInterface tensor;
  auto name = cast_or_null<StringAttr>(boundary.get(kNameAttr));
  if (!name)
    return fail(boundary) << "expects a name, attribute 'attn.name'";
  tensor.name = name.str();
  FailureOr<attn_dtype> dtype = readType(boundary);
  if (failed(dtype))
    return failure();
  tensor.dtype = *dtype;
  if (failed(readShape(boundary, tensor)))
    return failure();
  if (Attribute bound = boundary.get(kBoundAttr))
    tensor.bound = cast<IntegerAttr>(bound).getInt();
  return tensor;
}

FailureOr<attn_dtype> InterfaceReader::readType(const Boundary &boundary) {
  if (auto type = dyn_cast<RankedTensorType>(boundary.type)) {
    if (type.getElementType().isF32())
      return ATTN_F32;
    if (type.getElementType().isSignlessInteger(64))
      return ATTN_I64;
  }
  return fail(boundary) << "expects a ranked tensor of f32 or i64, but got "
                        << boundary.type;
}

LogicalResult InterfaceReader::readShape(const Boundary &boundary,
                                         TensorInterface &tensor) {
  auto type = cast<RankedTensorType>(boundary.type);
  auto names = cast_or_null<ArrayAttr>(boundary.get(kDimsAttr));
  if (!names && !type.hasStaticShape())
    return fail(boundary)
           << "has dynamic dimensions and expects attribute 'attn.dims'";
  for (auto [i, size] : llvm::enumerate(type.getShape()))
    tensor.shape.push_back(
        ShapedType::isDynamic(size)
            ? -1 - dimOf(cast<StringAttr>(names[i]).getValue())
            : size);
  return success();
}

int64_t InterfaceReader::dimOf(StringRef name) {
  for (auto [i, dim] : llvm::enumerate(model.dims))
    if (dim.name == name)
      return i;
  DimInterface dim;
  dim.name = name.str();
  model.dims.push_back(dim);
  return model.dims.size() - 1;
}

LogicalResult InterfaceReader::readDimMax() {
  auto bounds = function->getAttrOfType<DictionaryAttr>(kDimMaxAttr);
  if (!bounds)
    return success();
  for (NamedAttribute entry : bounds) {
    StringRef name = entry.getName().getValue();
    auto dim = llvm::find_if(
        model.dims, [&](const DimInterface &d) { return d.name == name; });
    if (dim == model.dims.end())
      return function.emitError("'attn.dim_max' bounds '")
             << name << "', which is no dynamic dimension of the model";
    dim->max = cast<IntegerAttr>(entry.getValue()).getInt();
  }
  return success();
}

LogicalResult InterfaceReader::checkNames() {
  for (const auto *tensors : {&model.inputs, &model.outputs}) {
    llvm::StringSet<> seen;
    for (const TensorInterface &tensor : *tensors)
      if (!seen.insert(tensor.name).second)
        return function.emitError("has two ")
               << (tensors == &model.inputs ? "arguments" : "results")
               << " named '" << tensor.name << "'";
  }
  return success();
}

FailureOr<ModelInterface> describeModel(func::FuncOp function) {
  return InterfaceReader(function).read();
}

std::string shapeText(const ModelInterface &model,
                      const TensorInterface &tensor) {
  std::string text = "[";
  for (auto [i, size] : llvm::enumerate(tensor.shape)) {
    text += i ? ", " : "";
    text += size < 0 ? model.dims[-1 - size].name : std::to_string(size);
  }
  return text + "]";
}

} // namespace attn::package
