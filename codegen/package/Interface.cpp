// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads the interface of a model from its function's attributes, in the form
// that the dialect's verifier has checked.

#include "codegen/package/Interface.h"
#include "dialect/AttnDialect.h"
#include "dialect/ProgramAttributes.h"
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
  LogicalResult readRole(const Boundary &boundary, TensorInterface &tensor);
  LogicalResult readDimMax();
  LogicalResult readCache();
  LogicalResult checkRoles(StringRef program);
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
  if (failed(readDimMax()) || failed(checkNames()) || failed(readCache()))
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
  if (failed(readRole(boundary, tensor)))
    return failure();
  return tensor;
}

namespace {
/// What a role asks of its tensor, and the programs that need it.
struct Role {
  StringLiteral name;
  attn_role role;
  int64_t rank;
  attn_dtype dtype;
  bool step, encode;
};
} // namespace

static constexpr Role roles[] = {
    {"tokens", ATTN_ROLE_TOKENS, 2, ATTN_I64, true, false},
    {"counts", ATTN_ROLE_COUNTS, 1, ATTN_I64, true, false},
    {"past", ATTN_ROLE_PAST, 1, ATTN_I64, true, false},
    {"pages", ATTN_ROLE_PAGES, 2, ATTN_I64, true, false},
    {"cache", ATTN_ROLE_CACHE, 2, ATTN_F32, true, true},
    {"memory_pages", ATTN_ROLE_MEMORY_PAGES, 2, ATTN_I64, false, true},
    {"memory_lengths", ATTN_ROLE_MEMORY_LENGTHS, 1, ATTN_I64, false, false},
};

StringRef nameOfRole(attn_role role) {
  for (const Role &known : roles)
    if (known.role == role)
      return known.name;
  return "";
}

LogicalResult InterfaceReader::readRole(const Boundary &boundary,
                                        TensorInterface &tensor) {
  auto name = cast_or_null<StringAttr>(boundary.get(kRoleAttr));
  if (!name)
    return success();
  const Role *role =
      llvm::find_if(roles, [&](const Role &r) { return r.name == name; });
  tensor.role = role->role;
  if (tensor.dtype != role->dtype ||
      static_cast<int64_t>(tensor.shape.size()) != role->rank)
    return fail(boundary) << "has role '" << name.getValue()
                          << "' and expects a tensor of rank " << role->rank
                          << " of " << (role->dtype ? "i64" : "f32")
                          << ", but got " << boundary.type;
  return success();
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

LogicalResult InterfaceReader::checkRoles(StringRef program) {
  for (const Role &role : roles) {
    auto count = llvm::count_if(model.inputs, [&](const TensorInterface &t) {
      return t.role == role.role;
    });
    bool needed = program == "step" ? role.step : role.encode;
    bool paired = program == "step" && (role.role == ATTN_ROLE_MEMORY_PAGES ||
                                        role.role == ATTN_ROLE_MEMORY_LENGTHS);
    if (count > 1 || (needed ? count != 1 : count != 0 && !paired))
      return function.emitError("of program '")
             << program << "' expects "
             << (needed   ? "one argument"
                 : paired ? "at most one argument"
                          : "no argument")
             << " of role '" << role.name << "', but got " << count;
  }
  return success();
}

/// The size of a page from the type of the cache, the rest from attributes.
LogicalResult InterfaceReader::readCache() {
  auto program = function->getAttrOfType<StringAttr>(kProgramAttr);
  if (!program) {
    for (const TensorInterface &input : model.inputs)
      if (input.role != ATTN_ROLE_NONE)
        return function.emitError("has an argument of role '")
               << nameOfRole(input.role) << "' and expects 'attn.program'";
    return success();
  }
  if (failed(checkRoles(program)))
    return failure();
  const TensorInterface *cache =
      llvm::find_if(model.inputs, [](const TensorInterface &input) {
        return input.role == ATTN_ROLE_CACHE;
      }).operator->();
  // Whole panels, so that every page is aligned alike.
  if (cache->shape[1] < 1 || cache->shape[1] % kPanelLanes)
    return function.emitError("expects pages of a multiple of ")
           << kPanelLanes << " floats, but got " << shapeText(model, *cache);
  CacheInterface info;
  info.pageTokens = kPageTokens;
  info.pageBytes = cache->shape[1] * static_cast<int64_t>(sizeof(float));
  if (auto positions = function->getAttrOfType<IntegerAttr>(kMaxPositionsAttr))
    info.positions = positions.getInt();
  if (auto window = function->getAttrOfType<IntegerAttr>(kWindowAttr))
    info.window = window.getInt();
  Attribute length = function->getAttr(kMemoryLengthAttr);
  if (!length != (program == "step"))
    return function.emitError("of program '")
           << program.getValue() << "' expects " << (length ? "no " : "")
           << "'attn.memory_length'";
  if (auto number = dyn_cast_or_null<IntegerAttr>(length))
    info.memoryLength = number.getInt();
  if (auto name = dyn_cast_or_null<StringAttr>(length)) {
    size_t known = model.dims.size();
    info.memoryLength = -1 - dimOf(name);
    if (model.dims.size() > known)
      return function.emitError("'attn.memory_length' expects a dynamic "
                                "dimension of an argument, but got ")
             << name;
  }
  model.cache = info;
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
