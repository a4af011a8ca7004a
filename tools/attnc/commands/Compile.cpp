// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc compile: a library, a header and a weights file from a model.

#include "codegen/package/Header.h"
#include "codegen/package/Interface.h"
#include "codegen/package/Library.h"
#include "codegen/package/PackParameters.h"
#include "frontend/weights/File.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Compiler.h"
#include "tools/attnc/engine/StagedFiles.h"
#include "tools/attnc/report/Explain.h"
#include "tools/attnc/report/Progress.h"
#include "tools/attnc/report/UsualSize.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

enum class Emit { Static, Shared, Object, Ir, Asm };

Expected<Emit> parseEmit(StringRef text) {
  static constexpr StringLiteral names[] = {"static", "shared", "object", "ir",
                                            "asm"};
  for (auto [i, name] : enumerate(names))
    if (text == name)
      return static_cast<Emit>(i);
  return make_error<UsageError>("option '--emit' expects one of " +
                                join(ArrayRef(names), ", ") + ", but got '" +
                                text + "'");
}

Expected<Stage> parseStage(StringRef name) {
  static constexpr StringLiteral names[] = {"frontend", "fuse",  "outline",
                                            "plan",     "tiles", "llvm"};
  for (auto [i, known] : enumerate(names))
    if (name == known)
      return static_cast<Stage>(i);
  return make_error<UsageError>("option '--dump-after' expects one of " +
                                join(ArrayRef(names), ", ") + ", but got '" +
                                name + "'");
}

Error writeText(StringRef path, StringRef text) {
  return weights::writeFileAtomically(path,
                                      [&](raw_ostream &os) { os << text; });
}

/// LLVM IR or assembly of every variant, one file each.
Error writeVariantTexts(Compiler &compiler, const CompilerOptions &options,
                        Emit emit, StagedFiles &files) {
  for (const TargetSpec *target : options.targets) {
    auto code = compiler.generate(*target, Stage::Llvm);
    if (!code)
      return code.takeError();
    LLVMContext context;
    auto module = package::makeVariantModule(**code, compiler.symbols(),
                                             *target, context);
    if (!module)
      return module.takeError();
    std::string stem = compiler.name() + "_" + target->isa.str();
    std::string text;
    if (emit == Emit::Asm) {
      auto assembly = package::emitAssembly(**module, *target);
      if (!assembly)
        return assembly.takeError();
      text = std::move(*assembly);
    } else {
      raw_string_ostream(text) << **module;
    }
    if (Error error = writeText(
            files.path(stem + (emit == Emit::Asm ? ".s" : ".ll")), text))
      return error;
  }
  return Error::success();
}

Error writeLibrary(Compiler &compiler, const CompilerOptions &options,
                   const package::ProgramSpec &program, Emit emit,
                   StagedFiles &files) {
  if (emit == Emit::Ir || emit == Emit::Asm)
    return writeVariantTexts(compiler, options, emit, files);
  auto objects = compiler.emitObjects(program);
  if (!objects)
    return objects.takeError();
  const std::string &name = compiler.name();
  if (emit == Emit::Shared)
    return package::linkSharedLibrary(files.path(name + ".so"), name + ".so",
                                      *options.targets.front(), *objects);
  if (emit == Emit::Object)
    return package::linkObject(files.path(name + ".o"),
                               *options.targets.front(), *objects);
  return package::writeArchive(files.path(name + ".a"), *objects);
}

Error writeWeights(Compiler &compiler, frontend::Model &model,
                   const package::ProgramSpec &program, StagedFiles &files) {
  if (!program.weightsBytes)
    return Error::success();
  Progress progress("packing weights", program.weightsBytes);
  return package::writeParameters(
      compiler.module(), *model.weights,
      files.path(compiler.name() + ".weights"), program.buildId,
      [&](uint64_t bytes) { progress.update(bytes); });
}

/// Prints the IR at a stage instead of writing files.
Error dump(Compiler &compiler, const CompilerOptions &options, Stage stage) {
  if (Error error = compiler.lowerTo(std::min(stage, Stage::Plan)))
    return error;
  if (stage <= Stage::Plan) {
    compiler.module().print(outs());
    return Error::success();
  }
  for (const TargetSpec *target : options.targets) {
    auto code = compiler.generate(*target, stage);
    if (!code)
      return code.takeError();
    (*code)->print(outs());
  }
  return Error::success();
}

/// A library's name is a file name and, made an identifier, a prefix.
Error checkName(StringRef name) {
  bool good =
      !name.empty() &&
      llvm::all_of(name,
                   [](char c) {
                     return isAlnum(c) || c == '_' || c == '-' || c == '.';
                   }) &&
      name.front() != '.' && name.front() != '-';
  if (good)
    return Error::success();
  return make_error<UsageError>(
      "'" + name +
      "' cannot name a library: expects letters, digits, '_', "
      "'-' and '.'; give another with --name");
}

/// What the command line asks for, but for the model.
struct CompileOptions {
  CompilerOptions compiler;
  Emit emit = Emit::Static;
  std::optional<Stage> dumpAfter;
  bool explains = false;
  std::string directory; ///< May be empty where something is only printed.
};

/// What only an explanation depends on.
Error refuseExplainOptions(const CommandLine &line) {
  for (auto [id, name] :
       {std::pair(OPT_size, "--size"), std::pair(OPT_batch, "--batch"),
        std::pair(OPT_inputs, "--inputs"), std::pair(OPT_json, "--json")})
    if (line.has(id))
      return make_error<UsageError>(
          Twine("option '") + name +
          "' of 'attnc compile' goes with --explain; to fix a dynamic "
          "dimension, give --dim NAME=VALUE");
  return Error::success();
}

Expected<CompileOptions> readCompileOptions(const CommandLine &line) {
  CompileOptions options;
  auto targets = readTargets(line);
  if (!targets)
    return targets.takeError();
  options.compiler.targets = *targets;
  auto emit = parseEmit(line.value(OPT_emit, "static"));
  if (!emit)
    return emit.takeError();
  options.emit = *emit;
  if (line.has(OPT_dump_after)) {
    auto stage = parseStage(line.value(OPT_dump_after));
    if (!stage)
      return stage.takeError();
    options.dumpAfter = *stage;
  }
  options.compiler.name = line.value(OPT_name);
  if (line.has(OPT_name))
    if (Error error = checkName(options.compiler.name))
      return std::move(error);
  options.compiler.generates = line.has(OPT_generation);
  options.compiler.allowUnfused = line.has(OPT_allow_unfused);
  options.explains = line.has(OPT_explain);
  if (!options.explains)
    if (Error error = refuseExplainOptions(line))
      return std::move(error);
  options.directory = line.value(OPT_o);
  if (options.directory.empty() && !options.dumpAfter && !options.explains)
    return make_error<UsageError>(
        "'attnc compile' expects a directory for the generated files: -o DIR");
  return options;
}

/// Library, header and weights of a planned model.
Error writeFiles(Compiler &compiler, frontend::Model &model,
                 const CompileOptions &options) {
  auto program = compiler.describe();
  if (!program)
    return program.takeError();
  auto files = StagedFiles::create(options.directory);
  if (!files)
    return files.takeError();
  if (Error error = writeLibrary(compiler, options.compiler, *program,
                                 options.emit, *files))
    return error;
  if (Error error = writeWeights(compiler, model, *program, *files))
    return error;
  std::vector<package::ModelInterface> parts;
  for (const package::FunctionSpec &part : program->parts)
    parts.push_back(part.interface);
  if (Error error =
          writeText(files->path(compiler.name() + ".h"),
                    package::makeHeader(program->interface,
                                        program->weightsBytes > 0, parts)))
    return error;
  return files->publish();
}

/// The explanation of a planned model for every target.
Error printExplanation(const Explainer &explainer, mlir::func::FuncOp planned,
                       const std::optional<weights::TensorTable> &given,
                       const CommandLine &line, const CompileOptions &options) {
  auto interface = package::describeModel(planned);
  if (failed(interface))
    return createStringError("the model has no interface; the reasons are "
                             "above");
  auto bound = bindForModel(line, *interface, given, usualSize);
  if (!bound)
    return bound.takeError();
  ExplainedRun run{{}, bound->tensors};
  for (auto [dim, size] : zip_equal(interface->dims, bound->dims))
    run.sizes.emplace_back(dim.name, size);
  json::Array array;
  for (const TargetSpec *target : options.compiler.targets) {
    auto explanation = explainer.explain(planned, *target, run);
    if (!explanation)
      return explanation.takeError();
    if (line.has(OPT_json))
      array.push_back(explanation->toJson());
    else
      explanation->print(outs());
  }
  if (line.has(OPT_json)) {
    json::OStream(outs(), 2).value(json::Value(std::move(array)));
    outs() << "\n";
  }
  return Error::success();
}

} // namespace

Error attn::tool::compileCommand(const CommandLine &line) {
  auto request = readModelOptions(line);
  auto options = readCompileOptions(line);
  if (!request || !options)
    return joinErrors(request.takeError(), options.takeError());
  auto given = readGivenInputs(line);
  if (!given)
    return given.takeError();
  if (*given) {
    std::vector<StringRef> names = (*given)->names();
    request->present.emplace(names.begin(), names.end());
  }
  request->needsWeights = !options->directory.empty();
  if (options->compiler.generates)
    requestGeneration(*request);
  auto context = makeContext();
  auto model = frontend::openModel(context.get(), *request);
  if (!model)
    return model.takeError();
  Compiler compiler(*model, options->compiler);
  if (Error error = checkName(compiler.name()))
    return error;
  if (options->dumpAfter)
    return dump(compiler, options->compiler, *options->dumpAfter);

  std::optional<Explainer> explainer;
  if (options->explains)
    explainer.emplace(model->function());
  if (Error error = compiler.lowerTo(Stage::Plan))
    return error;
  if (explainer)
    if (Error error = printExplanation(*explainer, model->function(), *given,
                                       line, *options))
      return error;
  return options->directory.empty() ? Error::success()
                                    : writeFiles(compiler, *model, *options);
}
