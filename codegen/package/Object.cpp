// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Translates, optimises and emits the code of one instruction set.

#include "codegen/package/Object.h"
#include "codegen/target/EmitCode.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

namespace attn::package {

static Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

std::string variantSymbol(StringRef model, StringRef isa, StringRef function) {
  return (model + "_" + isa + "_" + function).str();
}

//===----------------------------------------------------------------------===//
// LLVM IR
//===----------------------------------------------------------------------===//

static Expected<std::unique_ptr<Module>> translate(mlir::ModuleOp code,
                                                   LLVMContext &context) {
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  code.getContext()->appendDialectRegistry(registry);
  std::unique_ptr<Module> module =
      mlir::translateModuleToLLVMIR(code, context, "attnc");
  if (!module)
    return fail("cannot translate the code to LLVM IR");
  return std::move(module);
}

/// Plan and body are seen by the model's other objects, nothing is by others.
static Error exposeFunctions(Module &module, StringRef model,
                             const TargetSpec &target) {
  for (StringRef name : {"plan", "body"}) {
    std::string symbol = variantSymbol(model, target.isa, name);
    Function *function = module.getFunction(symbol);
    if (!function || function->isDeclaration())
      return fail(
          formatv("variant '{0}' does not define '{1}'", target.isa, symbol));
    function->setLinkage(GlobalValue::ExternalLinkage);
    function->setVisibility(GlobalValue::HiddenVisibility);
  }
  return Error::success();
}

static Error setVisibility(Module &module, ArrayRef<std::string> models,
                           const TargetSpec &target) {
  for (GlobalValue &value : module.global_values())
    if (!value.isDeclaration() && !value.getName().starts_with("llvm."))
      value.setLinkage(GlobalValue::InternalLinkage);
  for (StringRef model : models)
    if (Error error = exposeFunctions(module, model, target))
      return error;
  return Error::success();
}

static void setTargetAttributes(Module &module, const TargetSpec &target) {
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
    // Profilers and debuggers walk through generated code.
    function.setUWTableKind(UWTableKind::Default);
    function.addFnAttr(Attribute::NoUnwind);
  }
}

Expected<std::unique_ptr<Module>>
makeVariantModule(mlir::ModuleOp code, ArrayRef<std::string> models,
                  const TargetSpec &target, LLVMContext &context) {
  Expected<std::unique_ptr<TargetMachine>> machine =
      createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  Expected<std::unique_ptr<Module>> module = translate(code, context);
  if (!module)
    return module.takeError();
  if (Error error = setVisibility(**module, models, target))
    return std::move(error);
  setTargetAttributes(**module, target);
  std::string problems;
  raw_string_ostream os(problems);
  if (verifyModule(**module, &os))
    return fail("generated LLVM IR is malformed: " + problems);
  optimizeForTarget(**module, **machine);
  return module;
}

//===----------------------------------------------------------------------===//
// Object code
//===----------------------------------------------------------------------===//

static Error emit(Module &module, const TargetSpec &target,
                  CodeGenFileType type, SmallVectorImpl<char> &bytes) {
  Expected<std::unique_ptr<TargetMachine>> machine =
      createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  return emitCode(module, **machine, type, bytes);
}

Expected<ObjectFile> emitObject(Module &module, const TargetSpec &target,
                                StringRef name) {
  ObjectFile object{name.str(), {}};
  if (Error error =
          emit(module, target, CodeGenFileType::ObjectFile, object.bytes))
    return std::move(error);
  return std::move(object);
}

Expected<std::string> emitAssembly(Module &module, const TargetSpec &target) {
  SmallString<0> text;
  if (Error error = emit(module, target, CodeGenFileType::AssemblyFile, text))
    return std::move(error);
  return text.str().str();
}

Error checkUndefinedSymbols(const ObjectFile &object,
                            ArrayRef<std::string> others) {
  auto file = object::ObjectFile::createObjectFile(object.buffer());
  if (!file)
    return file.takeError();
  static constexpr StringLiteral platform[] = {"memcpy", "memmove", "memset",
                                               "_GLOBAL_OFFSET_TABLE_"};
  std::string unknown;
  for (const object::SymbolRef &symbol : (*file)->symbols()) {
    Expected<uint32_t> flags = symbol.getFlags();
    Expected<StringRef> name = symbol.getName();
    if (!flags || !name)
      return joinErrors(flags.takeError(), name.takeError());
    if (!(*flags & object::BasicSymbolRef::SF_Undefined) || name->empty() ||
        is_contained(platform, *name) || is_contained(others, *name))
      continue;
    unknown += (unknown.empty() ? "'" : ", '") + name->str() + "'";
  }
  if (unknown.empty())
    return Error::success();
  return fail(object.name + ": generated code needs " + unknown +
              ", which libc does not have");
}

} // namespace attn::package
