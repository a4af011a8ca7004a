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
    if (tensor.role != ATTN_ROLE_NONE)
      object["role"] = nameOfRole(tensor.role);
    array.push_back(std::move(object));
  }
  return array;
}

static json::Object describeCache(const ModelInterface &model) {
  const CacheInterface &cache = *model.cache;
  json::Object object{{"page_tokens", cache.pageTokens},
                      {"page_bytes", cache.pageBytes}};
  if (cache.positions)
    object["positions"] = cache.positions;
  if (cache.window)
    object["window"] = cache.window;
  if (cache.memoryLength > 0)
    object["memory_length"] = cache.memoryLength;
  else if (cache.memoryLength < 0)
    object["memory_length"] =
        json::fixUTF8(model.dims[-1 - cache.memoryLength].name);
  return object;
}

/// What the programs of a library say each for itself.
static json::Object describeFunction(const FunctionSpec &spec,
                                     StringRef prefix) {
  const ModelInterface &model = spec.interface;
  json::Array dims;
  for (const DimInterface &dim : model.dims)
    dims.push_back(json::Object{
        {"name", json::fixUTF8(dim.name)}, {"min", dim.min}, {"max", dim.max}});
  json::Object object{{"name", json::fixUTF8(model.name)},
                      {"prefix", prefix},
                      {"dims", std::move(dims)},
                      {"inputs", describeTensors(model, model.inputs)},
                      {"outputs", describeTensors(model, model.outputs)}};
  if (model.cache)
    object["cache"] = describeCache(model);
  if (!spec.launches.empty())
    object["launches"] = json::Array(spec.launches);
  return object;
}

std::string describeProgram(const ProgramSpec &spec) {
  std::string prefix = modelIdentifier(spec.interface.name);
  json::Array variants, parts;
  for (const TargetSpec *target : spec.variants)
    variants.push_back(target->isa);
  for (const FunctionSpec &part : spec.parts)
    parts.push_back(describeFunction(
        part, partSymbol(spec.interface.name, part.interface.name)));
  json::Object object = describeFunction(spec, prefix);
  object["abi"] = ATTN_ABI_VERSION;
  object["build_id"] = toHex(spec.buildId, /*LowerCase=*/true);
  object["triple"] = spec.variants.front()->triple;
  object["variants"] = std::move(variants);
  object["weights_bytes"] = spec.weightsBytes;
  if (!parts.empty())
    object["parts"] = std::move(parts);
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

std::string partSymbol(StringRef name, StringRef part) {
  std::string symbol = modelIdentifier(name);
  return part.empty() ? symbol : symbol + "_" + cIdentifier(part);
}

namespace {
/// A function of the header that hands its arguments to the common object.
struct Wrapper {
  StringLiteral name;
  /// p: pointer, l: 64-bit integer, m: the model, of which a part takes its
  /// own.
  StringLiteral arguments;
  bool returnsStatus;
};
} // namespace

static constexpr Wrapper closeWrapper = {"close", "p", false};
/// What every program of a library has under its own prefix.
static constexpr Wrapper wrappers[] = {
    {"workspace_bytes", "mplpp", true},
    {"prepare", "mpplppp", true},
    {"run", "pppp", true},
    {"call", "mppppp", true},
};

std::vector<std::string> functionSymbols(const ProgramSpec &spec) {
  std::vector<std::string> symbols{partSymbol(spec.interface.name, "")};
  for (const FunctionSpec &part : spec.parts)
    symbols.push_back(partSymbol(spec.interface.name, part.interface.name));
  return symbols;
}

std::vector<std::string> programImports(const ProgramSpec &spec) {
  std::vector<std::string> symbols{
      commonSymbol("functions"), commonSymbol("open"), commonSymbol("part"),
      commonSymbol("sequence_pages"), commonSymbol(closeWrapper.name)};
  for (const Wrapper &wrapper : wrappers)
    symbols.push_back(commonSymbol(wrapper.name));
  for (const std::string &name : functionSymbols(spec))
    for (const TargetSpec *target : spec.variants)
      for (StringRef function : {"plan", "body"})
        symbols.push_back(variantSymbol(name, target->isa, function));
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
  Function *exported(const Twine &name, FunctionType *type);
  FunctionType *type(const Wrapper &wrapper);

  Constant *dims(const ModelInterface &model);
  Constant *tensors(const std::vector<TensorInterface> &tensors,
                    StringRef name);
  Constant *variants(StringRef symbol);
  Constant *constants();
  Constant *cache(const ModelInterface &model);
  Constant *parts();
  GlobalVariable *program(const FunctionSpec &function, StringRef symbol,
                          StringRef description, Constant *parts);
  void defineWrappers(StringRef prefix, const uint32_t *part);
  void defineWrapper(const Wrapper &wrapper, StringRef prefix,
                     const uint32_t *part);
  Value *partOf(Value *model, uint32_t part);
  void defineOpen(Constant *program);
  void defineGetter(StringRef name, Constant *value);
  void definePageBytes();
  void defineSequencePages(Constant *program);

  const ProgramSpec &spec;
  Module &module;
  LLVMContext &context;
  IRBuilder<> builder;
  std::string prefix;
  /// What all programs point to.
  Constant *functions = nullptr;
  Constant *constantData = nullptr;
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

Constant *ProgramBuilder::dims(const ModelInterface &model) {
  SmallVector<Constant *> records;
  for (const DimInterface &dim : model.dims)
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
                array(sizes, "shape"), i64(tensor.bound), i32(tensor.role)}));
  }
  return array(records, name);
}

Constant *ProgramBuilder::variants(StringRef symbol) {
  Type *pointer = builder.getPtrTy();
  auto *planType = FunctionType::get(
      builder.getInt64Ty(), {pointer, builder.getInt64Ty(), pointer}, false);
  auto *bodyType = FunctionType::get(builder.getInt32Ty(), {pointer}, false);
  SmallVector<Constant *> records;
  for (const TargetSpec *target : spec.variants)
    records.push_back(
        record({text(target->isa), i64(target->featureBits),
                import(variantSymbol(symbol, target->isa, "plan"), planType),
                import(variantSymbol(symbol, target->isa, "body"), bodyType)}));
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

Constant *ProgramBuilder::cache(const ModelInterface &model) {
  if (!model.cache)
    return null();
  const CacheInterface &cache = *model.cache;
  Constant *fields =
      record({i64(cache.pageTokens), i64(cache.pageBytes), i64(cache.positions),
              i64(cache.memoryLength), i64(cache.window)});
  return new GlobalVariable(module, fields->getType(), /*isConstant=*/true,
                            GlobalValue::PrivateLinkage, fields, "cache");
}

Constant *ProgramBuilder::parts() {
  SmallVector<Constant *> programs;
  for (const FunctionSpec &part : spec.parts)
    programs.push_back(
        program(part, partSymbol(spec.interface.name, part.interface.name),
                "{}", null()));
  return array(programs, "parts");
}

/// In the order of attn_program; natural alignment gives C's offsets.
GlobalVariable *ProgramBuilder::program(const FunctionSpec &function,
                                        StringRef symbol, StringRef description,
                                        Constant *parts) {
  const ModelInterface &model = function.interface;
  uint64_t partCount = parts->isNullValue() ? 0 : spec.parts.size();
  Constant *fields = record(
      {i32(ATTN_ABI_VERSION), i32(model.inputs.size()),
       i32(model.outputs.size()), i32(model.dims.size()),
       i32(function.bufferCount), i32(spec.variants.size()), text(model.name),
       text(description), dims(model), tensors(model.inputs, "inputs"),
       tensors(model.outputs, "outputs"), variants(symbol),
       i64(spec.weightsBytes),
       ConstantDataArray::get(context, ArrayRef<uint8_t>(spec.buildId)),
       functions, constantData, cache(model), i32(partCount), parts});
  return new GlobalVariable(module, fields->getType(), /*isConstant=*/true,
                            GlobalValue::InternalLinkage, fields, "program");
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Function *ProgramBuilder::exported(const Twine &name, FunctionType *type) {
  auto *function =
      Function::Create(type, GlobalValue::ExternalLinkage, name, module);
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

Value *ProgramBuilder::partOf(Value *model, uint32_t part) {
  Type *pointer = builder.getPtrTy();
  Function *common = import(
      commonSymbol("part"),
      FunctionType::get(pointer, {pointer, builder.getInt32Ty()}, false));
  return builder.CreateCall(common, {model, i32(part)});
}

/// `part` is null for the library's own program.
void ProgramBuilder::defineWrapper(const Wrapper &wrapper, StringRef prefix,
                                   const uint32_t *part) {
  Function *common = import(commonSymbol(wrapper.name), type(wrapper));
  Function *function = exported(prefix + "_" + wrapper.name, type(wrapper));
  SmallVector<Value *> arguments(make_pointer_range(function->args()));
  if (part && wrapper.arguments.front() == 'm')
    arguments.front() = partOf(arguments.front(), *part);
  CallInst *call = builder.CreateCall(common, arguments);
  call->setTailCallKind(CallInst::TCK_MustTail);
  if (wrapper.returnsStatus)
    builder.CreateRet(call);
  else
    builder.CreateRetVoid();
}

void ProgramBuilder::defineWrappers(StringRef prefix, const uint32_t *part) {
  for (const Wrapper &wrapper : wrappers)
    defineWrapper(wrapper, prefix, part);
}

void ProgramBuilder::defineOpen(Constant *program) {
  Type *pointer = builder.getPtrTy();
  auto *commonType =
      FunctionType::get(builder.getInt32Ty(),
                        {pointer, pointer, pointer, pointer, pointer}, false);
  Function *common = import(commonSymbol("open"), commonType);
  Function *function = exported(
      prefix + "_open", FunctionType::get(builder.getInt32Ty(),
                                          {pointer, pointer, pointer}, false));
  CallInst *call =
      builder.CreateCall(common, {program, function->getArg(0), null(),
                                  function->getArg(1), function->getArg(2)});
  call->setTailCall();
  builder.CreateRet(call);
}

void ProgramBuilder::defineGetter(StringRef name, Constant *value) {
  exported(prefix + "_" + name,
           FunctionType::get(builder.getPtrTy(), {}, false));
  builder.CreateRet(value);
}

/// size_t NAME_page_bytes(void)
void ProgramBuilder::definePageBytes() {
  exported(prefix + "_page_bytes",
           FunctionType::get(builder.getInt64Ty(), {}, false));
  builder.CreateRet(i64(spec.interface.cache->pageBytes));
}

/// size_t NAME_sequence_pages(size_t tokens, size_t at_once)
void ProgramBuilder::defineSequencePages(Constant *program) {
  Type *size = builder.getInt64Ty();
  Function *common =
      import(commonSymbol("sequence_pages"),
             FunctionType::get(size, {builder.getPtrTy(), size, size}, false));
  Function *function = exported(prefix + "_sequence_pages",
                                FunctionType::get(size, {size, size}, false));
  CallInst *call = builder.CreateCall(
      common, {program, function->getArg(0), function->getArg(1)});
  call->setTailCall();
  builder.CreateRet(call);
}

void ProgramBuilder::build() {
  functions = importData(commonSymbol("functions"));
  constantData = constants();
  GlobalVariable *table = program(spec, prefix, describeProgram(spec), parts());
  defineOpen(table);
  defineWrapper(closeWrapper, prefix, nullptr);
  defineWrappers(entryPrefix(spec.interface), nullptr);
  for (uint32_t i = 0; i < spec.parts.size(); ++i)
    defineWrappers(
        partSymbol(spec.interface.name, spec.parts[i].interface.name), &i);
  if (spec.interface.cache) {
    definePageBytes();
    defineSequencePages(table);
  }
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
