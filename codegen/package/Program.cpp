// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builds tables and functions of a compiled model as LLVM IR.

#include "codegen/package/Program.h"
#include "codegen/package/Header.h"
#include "codegen/package/Object.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace attn::package {

//===----------------------------------------------------------------------===//
// Description
//===----------------------------------------------------------------------===//

static json::Array
describeTensors(const ModelInterface &model,
                const std::vector<TensorInterface> &tensors) {
  json::Array array;
  for (const TensorInterface &tensor : tensors) {
    json::Array shape;
    for (int64_t size : tensor.shape) {
      if (size < 0)
        shape.push_back(json::fixUTF8(model.dims[-1 - size].name));
      else
        shape.push_back(size);
    }
    json::Object object{{"name", json::fixUTF8(tensor.name)},
                        {"dtype", tensor.dtype == ATTN_I64 ? "i64" : "f32"},
                        {"shape", std::move(shape)}};
    if (tensor.bound)
      object["bound"] = tensor.bound;
    array.push_back(std::move(object));
  }
  return array;
}

std::string describeProgram(const ProgramSpec &spec) {
  const ModelInterface &model = spec.interface;
  CNames names = makeCNames(model);
  json::Array dims, variants;
  for (const DimInterface &dim : model.dims)
    dims.push_back(json::Object{
        {"name", json::fixUTF8(dim.name)}, {"min", dim.min}, {"max", dim.max}});
  for (const TargetSpec *target : spec.variants)
    variants.push_back(target->isa);
  json::Object object{{"name", json::fixUTF8(model.name)},
                      {"prefix", names.model},
                      {"abi", ATTN_ABI_VERSION},
                      {"build_id", toHex(spec.buildId, /*LowerCase=*/true)},
                      {"triple", spec.variants.front()->triple},
                      {"variants", std::move(variants)},
                      {"weights_bytes", spec.weightsBytes},
                      {"dims", std::move(dims)},
                      {"inputs", describeTensors(model, model.inputs)},
                      {"outputs", describeTensors(model, model.outputs)}};
  if (!spec.launches.empty())
    object["launches"] = json::Array(spec.launches);
  std::string text;
  raw_string_ostream os(text);
  json::OStream(os, /*IndentSize=*/2).value(std::move(object));
  return text;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static std::string commonSymbol(StringRef function) {
  return ("attn_v" + Twine(ATTN_ABI_VERSION) + "_" + function).str();
}

namespace {
/// A function of the header that hands its arguments to the common object.
struct Wrapper {
  StringLiteral name;
  /// p: pointer, l: 64-bit integer.
  StringLiteral arguments;
  bool returnsStatus;
};
} // namespace

static constexpr Wrapper wrappers[] = {
    {"close", "p", false},        {"workspace_bytes", "pplpp", true},
    {"prepare", "ppplppp", true}, {"run", "pppp", true},
    {"call", "pppppp", true},
};

std::vector<std::string> programImports(const ProgramSpec &spec) {
  std::vector<std::string> symbols{commonSymbol("functions"),
                                   commonSymbol("open")};
  for (const Wrapper &wrapper : wrappers)
    symbols.push_back(commonSymbol(wrapper.name));
  std::string model = modelIdentifier(spec.interface.name);
  for (const TargetSpec *target : spec.variants)
    for (StringRef function : {"plan", "body"})
      symbols.push_back(variantSymbol(model, target->isa, function));
  return symbols;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

namespace {

class ProgramBuilder {
public:
  ProgramBuilder(const ProgramSpec &spec, Module &module)
      : spec(spec), module(module), context(module.getContext()),
        builder(context), prefix(modelIdentifier(spec.interface.name)) {}
  void build();

private:
  Constant *i32(uint64_t value) { return builder.getInt32(value); }
  Constant *i64(uint64_t value) { return builder.getInt64(value); }
  Constant *null() { return ConstantPointerNull::get(builder.getPtrTy()); }
  Constant *text(StringRef value);
  /// A private constant; null where `elements` is empty.
  Constant *array(ArrayRef<Constant *> elements, StringRef name);
  Constant *record(ArrayRef<Constant *> fields) {
    return ConstantStruct::getAnon(context, fields);
  }
  Function *import(StringRef name, FunctionType *type);
  Constant *importData(StringRef name);
  Function *exported(StringRef name, FunctionType *type);
  FunctionType *type(const Wrapper &wrapper);

  Constant *dims();
  Constant *tensors(const std::vector<TensorInterface> &tensors,
                    StringRef name);
  Constant *variants();
  Constant *constants();
  GlobalVariable *program();
  void defineWrapper(const Wrapper &wrapper);
  void defineOpen(Constant *program);
  void defineGetter(StringRef name, Constant *value);

  const ProgramSpec &spec;
  Module &module;
  LLVMContext &context;
  IRBuilder<> builder;
  std::string prefix;
};

} // namespace

Constant *ProgramBuilder::text(StringRef value) {
  Constant *data = ConstantDataArray::getString(context, value);
  auto *global =
      new GlobalVariable(module, data->getType(), /*isConstant=*/true,
                         GlobalValue::PrivateLinkage, data, "text");
  global->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
  return global;
}

Constant *ProgramBuilder::array(ArrayRef<Constant *> elements, StringRef name) {
  if (elements.empty())
    return null();
  auto *type = ArrayType::get(elements.front()->getType(), elements.size());
  return new GlobalVariable(module, type, /*isConstant=*/true,
                            GlobalValue::PrivateLinkage,
                            ConstantArray::get(type, elements), name);
}

Function *ProgramBuilder::import(StringRef name, FunctionType *type) {
  auto *function =
      cast<Function>(module.getOrInsertFunction(name, type).getCallee());
  function->setVisibility(GlobalValue::HiddenVisibility);
  return function;
}

Constant *ProgramBuilder::importData(StringRef name) {
  auto *global = new GlobalVariable(
      module, builder.getInt8Ty(),
      /*isConstant=*/true, GlobalValue::ExternalLinkage, nullptr, name);
  global->setVisibility(GlobalValue::HiddenVisibility);
  return global;
}

Constant *ProgramBuilder::dims() {
  SmallVector<Constant *> records;
  for (const DimInterface &dim : spec.interface.dims)
    records.push_back(record({text(dim.name), i64(dim.min), i64(dim.max)}));
  return array(records, "dims");
}

Constant *ProgramBuilder::tensors(const std::vector<TensorInterface> &tensors,
                                  StringRef name) {
  SmallVector<Constant *> records;
  for (const TensorInterface &tensor : tensors) {
    SmallVector<Constant *> sizes;
    for (int64_t size : tensor.shape)
      sizes.push_back(i64(size));
    records.push_back(
        record({text(tensor.name), i32(tensor.dtype), i32(tensor.shape.size()),
                array(sizes, "shape"), i64(tensor.bound)}));
  }
  return array(records, name);
}

Constant *ProgramBuilder::variants() {
  Type *pointer = builder.getPtrTy();
  auto *planType = FunctionType::get(
      builder.getInt64Ty(), {pointer, builder.getInt64Ty(), pointer}, false);
  auto *bodyType = FunctionType::get(builder.getInt32Ty(), {pointer}, false);
  SmallVector<Constant *> records;
  for (const TargetSpec *target : spec.variants)
    records.push_back(
        record({text(target->isa), i64(target->featureBits),
                import(variantSymbol(prefix, target->isa, "plan"), planType),
                import(variantSymbol(prefix, target->isa, "body"), bodyType)}));
  return array(records, "variants");
}

Constant *ProgramBuilder::constants() {
  if (spec.constants.empty())
    return null();
  Constant *data = ConstantDataArray::getRaw(
      spec.constants, spec.constants.size(), builder.getInt8Ty());
  auto *global =
      new GlobalVariable(module, data->getType(), /*isConstant=*/true,
                         GlobalValue::PrivateLinkage, data, "constants");
  global->setAlignment(Align(ATTN_WORKSPACE_ALIGNMENT));
  return global;
}

/// In the order of attn_program; natural alignment gives C's offsets.
GlobalVariable *ProgramBuilder::program() {
  const ModelInterface &model = spec.interface;
  Constant *fields = record(
      {i32(ATTN_ABI_VERSION), i32(model.inputs.size()),
       i32(model.outputs.size()), i32(model.dims.size()), i32(spec.bufferCount),
       i32(spec.variants.size()), text(model.name), text(describeProgram(spec)),
       dims(), tensors(model.inputs, "inputs"),
       tensors(model.outputs, "outputs"), variants(), i64(spec.weightsBytes),
       ConstantDataArray::get(context, ArrayRef<uint8_t>(spec.buildId)),
       importData(commonSymbol("functions")), constants()});
  return new GlobalVariable(module, fields->getType(), /*isConstant=*/true,
                            GlobalValue::InternalLinkage, fields, "program");
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Function *ProgramBuilder::exported(StringRef name, FunctionType *type) {
  auto *function = Function::Create(type, GlobalValue::ExternalLinkage,
                                    prefix + "_" + name, module);
  function->setUWTableKind(UWTableKind::Default);
  builder.SetInsertPoint(BasicBlock::Create(context, "", function));
  return function;
}

FunctionType *ProgramBuilder::type(const Wrapper &wrapper) {
  SmallVector<Type *> arguments;
  for (char c : wrapper.arguments)
    arguments.push_back(c == 'l' ? (Type *)builder.getInt64Ty()
                                 : builder.getPtrTy());
  return FunctionType::get(wrapper.returnsStatus ? builder.getInt32Ty()
                                                 : builder.getVoidTy(),
                           arguments, false);
}

void ProgramBuilder::defineWrapper(const Wrapper &wrapper) {
  Function *common = import(commonSymbol(wrapper.name), type(wrapper));
  Function *function = exported(wrapper.name, type(wrapper));
  SmallVector<Value *> arguments(make_pointer_range(function->args()));
  CallInst *call = builder.CreateCall(common, arguments);
  call->setTailCallKind(CallInst::TCK_MustTail);
  if (wrapper.returnsStatus)
    builder.CreateRet(call);
  else
    builder.CreateRetVoid();
}

void ProgramBuilder::defineOpen(Constant *program) {
  Type *pointer = builder.getPtrTy();
  auto *commonType =
      FunctionType::get(builder.getInt32Ty(),
                        {pointer, pointer, pointer, pointer, pointer}, false);
  Function *common = import(commonSymbol("open"), commonType);
  Function *function =
      exported("open", FunctionType::get(builder.getInt32Ty(),
                                         {pointer, pointer, pointer}, false));
  CallInst *call =
      builder.CreateCall(common, {program, function->getArg(0), null(),
                                  function->getArg(1), function->getArg(2)});
  call->setTailCall();
  builder.CreateRet(call);
}

void ProgramBuilder::defineGetter(StringRef name, Constant *value) {
  exported(name, FunctionType::get(builder.getPtrTy(), {}, false));
  builder.CreateRet(value);
}

void ProgramBuilder::build() {
  GlobalVariable *table = program();
  defineOpen(table);
  for (const Wrapper &wrapper : wrappers)
    defineWrapper(wrapper);
  auto *fields = cast<ConstantStruct>(table->getInitializer());
  const unsigned descriptionField = 7;
  defineGetter("describe", fields->getOperand(descriptionField));
  defineGetter("program", table);
}

std::unique_ptr<Module> makeProgramModule(const ProgramSpec &spec,
                                          LLVMContext &context) {
  auto module = std::make_unique<Module>("attnc", context);
  module->setPICLevel(PICLevel::BigPIC);
  ProgramBuilder(spec, *module).build();
  return module;
}

} // namespace attn::package
