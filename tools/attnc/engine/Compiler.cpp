// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs passes, code generation and packaging on a loaded model.

#include "tools/attnc/engine/Compiler.h"

#include "codegen/attention/SplitScores.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/model/ModelFunction.h"
#include "codegen/package/Header.h"
#include "codegen/package/Library.h"
#include "codegen/package/PackParameters.h"
#include "dialect/AttnOps.h"
#include "dialect/ProgramAttributes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "tools/attnc/engine/InternalError.h"
#include "tools/attnc/engine/Launches.h"
#include "tools/attnc/report/Progress.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

static Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// "" for the library's own program.
static StringRef partName(mlir::func::FuncOp function) {
  auto program = function->getAttrOfType<mlir::StringAttr>(kProgramAttr);
  return program && program.getValue() != "step" ? program.getValue() : "";
}

Compiler::Compiler(frontend::Model &model, const CompilerOptions &options)
    : model(model), options(options),
      libraryName(options.name.empty() ? model.name : options.name) {}

/// Functions are called after the library, and after what they do in it.
void Compiler::nameFunctions() {
  for (mlir::func::FuncOp function : model.functions()) {
    std::string symbol = package::partSymbol(libraryName, partName(function));
    if (!mlir::SymbolTable::lookupSymbolIn(module(), symbol))
      function.setName(symbol);
  }
}

/// A model that is steps already stays what it is.
Error Compiler::deriveSteps() {
  if (model.function()->hasAttr(kProgramAttr))
    return Error::success();
  mlir::PassManager manager(module().getContext());
  buildCachePipeline(manager);
  return runPasses(manager, module(),
                   "the model cannot be compiled for generation; the reasons "
                   "are above");
}

Error Compiler::lowerTo(Stage last) {
  if (options.generates)
    if (Error error = deriveSteps())
      return error;
  nameFunctions();
  mlir::PassManager manager(module().getContext());
  if (options.exposeTaps)
    manager.addNestedPass<mlir::func::FuncOp>(createExposeTaps());
  if (last >= Stage::Fuse) {
    buildFusionPipeline(manager);
    manager.addNestedPass<mlir::func::FuncOp>(
        createSplitScoresPass(options.allowUnfused));
  }
  if (last >= Stage::Outline)
    buildOutlinePipeline(manager);
  if (last >= Stage::Plan)
    buildPlanPipeline(manager);
  return runPasses(manager, module(),
                   "the model cannot be compiled; the reasons are above");
}

Expected<mlir::OwningOpRef<mlir::ModuleOp>>
Compiler::generate(const TargetSpec &target, Stage last) {
  mlir::OwningOpRef<mlir::ModuleOp> code = module().clone();
  mlir::PassManager manager(module().getContext());
  manager.addPass(cpu::createScheduleKernelsPass(target));
  if (last >= Stage::Llvm) {
    manager.addPass(cpu::createLowerTilesPass(target));
    manager.addPass(cpu::createLowerModelPass(target));
  }
  if (Error error = runPasses(manager, *code,
                              "no code can be generated for " + target.name +
                                  "; the reasons are above"))
    return std::move(error);
  if (last >= Stage::Llvm)
    for (auto parameter : make_early_inc_range(code->getOps<ParameterOp>()))
      parameter.erase();
  return code;
}

/// Equal code, layout and interface have equal ids, whatever the weights'
/// values: files of the same structure can be exchanged.
static package::BuildId computeBuildId(mlir::ModuleOp module,
                                       ArrayRef<const TargetSpec *> targets) {
  std::string text;
  raw_string_ostream stream(text);
  module.print(stream);
  BLAKE3 hash;
  hash.update(ATTNC_VERSION);
  for (const TargetSpec *target : targets)
    hash.update(target->name);
  hash.update(text);
  return hash.final<16>();
}

Expected<package::FunctionSpec>
Compiler::describeFunction(mlir::func::FuncOp function) {
  auto interface = package::describeModel(function);
  if (failed(interface))
    return fail("the model has no interface; the reasons are above");
  package::FunctionSpec spec;
  spec.interface = *interface;
  spec.interface.name = partName(function);
  spec.bufferCount =
      function->getAttrOfType<mlir::ArrayAttr>(kBufferBytesAttr).size();
  auto launches = describeLaunches(function);
  if (!launches)
    return launches.takeError();
  spec.launches = std::move(*launches);
  return std::move(spec);
}

Expected<package::ProgramSpec> Compiler::describe() {
  package::ProgramSpec program;
  for (mlir::func::FuncOp function : model.functions()) {
    auto spec = describeFunction(function);
    if (!spec)
      return spec.takeError();
    if (spec->interface.name.empty())
      static_cast<package::FunctionSpec &>(program) = std::move(*spec);
    else
      program.parts.push_back(std::move(*spec));
  }
  program.interface.name = libraryName;
  program.variants = options.targets;
  program.weightsBytes =
      module()->getAttrOfType<mlir::IntegerAttr>(kWeightsBytesAttr).getInt();
  auto constants = package::packConstants(module());
  if (!constants)
    return constants.takeError();
  program.constants = std::move(*constants);
  if (!program.constants.empty())
    program.weightsBytes = 0;
  program.buildId = computeBuildId(module(), options.targets);
  return std::move(program);
}

std::vector<std::string> Compiler::symbols() {
  std::vector<std::string> names;
  for (mlir::func::FuncOp function : model.functions())
    names.push_back(package::partSymbol(libraryName, partName(function)));
  return names;
}

Expected<package::ObjectFile> Compiler::emitVariant(const TargetSpec &target) {
  auto code = generate(target, Stage::Llvm);
  if (!code)
    return code.takeError();
  package::ObjectFile result;
  auto emit = [&]() -> Error {
    LLVMContext context;
    auto variant =
        package::makeVariantModule(**code, symbols(), target, context);
    if (!variant)
      return variant.takeError();
    auto object = package::emitObject(
        **variant, target, libraryName + "_" + target.isa.str() + ".o");
    if (!object)
      return object.takeError();
    result = std::move(*object);
    return Error::success();
  };
  if (Error error = runInternalStep(**code, emit))
    return std::move(error);
  return result;
}

Expected<std::vector<package::ObjectFile>>
Compiler::emitObjects(const package::ProgramSpec &program) {
  std::vector<package::ObjectFile> objects;
  for (const TargetSpec *target : options.targets) {
    auto object = emitVariant(*target);
    if (!object)
      return object.takeError();
    objects.push_back(std::move(*object));
  }
  const TargetSpec &base = *options.targets.back();
  LLVMContext context;
  auto tables = package::makeProgramModule(program, context);
  auto object = package::emitObject(*tables, base, libraryName + ".o");
  if (!object)
    return object.takeError();
  objects.push_back(std::move(*object));
  auto common = package::commonObject(base);
  if (!common)
    return common.takeError();
  objects.push_back(std::move(*common));
  return objects;
}

Error attn::tool::compileForUse(frontend::Model &model,
                                const CompilerOptions &options,
                                StringRef directory) {
  Compiler compiler(model, options);
  if (Error error = compiler.lowerTo(Stage::Plan))
    return error;
  auto program = compiler.describe();
  if (!program)
    return program.takeError();
  auto objects = compiler.emitObjects(*program);
  if (!objects)
    return objects.takeError();
  SmallString<128> stem(directory);
  sys::path::append(stem, compiler.name());
  if (program->weightsBytes) {
    Progress progress("packing weights", program->weightsBytes);
    if (Error error = package::writeParameters(
            compiler.module(), *model.weights, (stem + ".weights").str(),
            program->buildId, [&](uint64_t done) { progress.update(done); }))
      return error;
  }
  return package::linkSharedLibrary((stem + ".so").str(),
                                    compiler.name() + ".so",
                                    *options.targets.front(), *objects);
}
