// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A small model from the LLVM dialect to libraries, which are opened and
// called.

#include "codegen/package/Library.h"
#include "codegen/package/Header.h"
#include "codegen/package/Program.h"
#include "dialect/AttnDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "test/codegen/package/Temporary.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/JSON.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <dlfcn.h>
#include <set>

using namespace attn;
using namespace attn::package;
using attn::test::TemporaryFolder;
using testing::HasSubstr;
using testing::IsSubsetOf;
using testing::UnorderedElementsAre;

namespace {

/// y[i] = x[i] + w[0] over n elements; the plan asks for 64 bytes a slot.
constexpr llvm::StringLiteral addOne = R"(
  llvm.func @add_ISA_plan(%dims: !llvm.ptr, %slots: i64, %offsets: !llvm.ptr) -> i64 {
    %c6 = llvm.mlir.constant(6 : i64) : i64
    %c64 = llvm.mlir.constant(64 : i64) : i64
    %zero = llvm.mlir.constant(0 : i64) : i64
    llvm.store %zero, %offsets : i64, !llvm.ptr
    %next = llvm.getelementptr %offsets[1] : (!llvm.ptr) -> !llvm.ptr, i64
    llvm.store %c64, %next : i64, !llvm.ptr
    %bytes = llvm.shl %slots, %c6 : i64
    llvm.return %bytes : i64
  }
  llvm.func @helper(%x: f32, %y: f32) -> f32 {
    %sum = llvm.fadd %x, %y : f32
    llvm.return %sum : f32
  }
  llvm.func @add_ISA_body(%frame: !llvm.ptr) -> i32 {
    %dims = llvm.load %frame : !llvm.ptr -> !llvm.ptr
    %n = llvm.load %dims : !llvm.ptr -> i64
    %in_at = llvm.getelementptr %frame[16] : (!llvm.ptr) -> !llvm.ptr, i8
    %ins = llvm.load %in_at : !llvm.ptr -> !llvm.ptr
    %x = llvm.load %ins : !llvm.ptr -> !llvm.ptr
    %out_at = llvm.getelementptr %frame[24] : (!llvm.ptr) -> !llvm.ptr, i8
    %outs = llvm.load %out_at : !llvm.ptr -> !llvm.ptr
    %y = llvm.load %outs : !llvm.ptr -> !llvm.ptr
    %w_at = llvm.getelementptr %frame[32] : (!llvm.ptr) -> !llvm.ptr, i8
    %ws = llvm.load %w_at : !llvm.ptr -> !llvm.ptr
    %w = llvm.load %ws : !llvm.ptr -> f32
    %c0 = llvm.mlir.constant(0 : i64) : i64
    %c1 = llvm.mlir.constant(1 : i64) : i64
    llvm.br ^loop(%c0 : i64)
  ^loop(%i: i64):
    %more = llvm.icmp "slt" %i, %n : i64
    llvm.cond_br %more, ^step, ^done
  ^step:
    %x_i = llvm.getelementptr %x[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %y_i = llvm.getelementptr %y[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %value = llvm.load %x_i : !llvm.ptr -> f32
    %sum = llvm.call @helper(%value, %w) : (f32, f32) -> f32
    llvm.store %sum, %y_i : f32, !llvm.ptr
    %next = llvm.add %i, %c1 : i64
    llvm.br ^loop(%next : i64)
  ^done:
    %ok = llvm.mlir.constant(0 : i32) : i32
    llvm.return %ok : i32
  }
)";

std::string replaceAll(std::string text, llvm::StringRef from,
                       llvm::StringRef to) {
  for (size_t at = 0; (at = text.find(from.str(), at)) != std::string::npos;)
    text.replace(at, from.size(), to.str());
  return text;
}

class LibraryTest : public testing::Test {
protected:
  LibraryTest() {
    context.loadDialect<mlir::LLVM::LLVMDialect>();
    spec.interface.name = "add";
    spec.interface.dims = {{"n", 1, 100}};
    spec.interface.inputs = {{"x", ATTN_F32, {-1}}};
    spec.interface.outputs = {{"y", ATTN_F32, {-1}}};
    spec.buildId = {7, 8, 9};
    spec.weightsBytes = 64;
  }

  llvm::Expected<ObjectFile> variant(const TargetSpec &target,
                                     llvm::StringRef source = addOne) {
    std::string text = replaceAll(source.str(), "ISA", target.isa);
    auto code = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(code);
    llvm::LLVMContext llvmContext;
    auto module = makeVariantModule(*code, {"add"}, target, llvmContext);
    if (!module)
      return module.takeError();
    return emitObject(**module, target, ("add_" + target.isa + ".o").str());
  }

  /// Variants, program and common object; `targets` best first.
  std::vector<ObjectFile> build(std::vector<const TargetSpec *> targets) {
    spec.variants = targets;
    std::vector<ObjectFile> objects;
    for (const TargetSpec *target : targets)
      objects.push_back(llvm::cantFail(variant(*target)));
    for (const ObjectFile &object : objects)
      llvm::cantFail(checkUndefinedSymbols(object));
    llvm::LLVMContext llvmContext;
    auto program = makeProgramModule(spec, llvmContext);
    objects.push_back(
        llvm::cantFail(emitObject(*program, *targets.front(), "add.o")));
    llvm::cantFail(checkUndefinedSymbols(objects.back(), programImports(spec)));
    objects.push_back(llvm::cantFail(commonObject(*targets.front())));
    return objects;
  }

  std::string writeWeights(const TemporaryFolder &folder) {
    std::vector<WeightsEntry> entries(1);
    entries[0] = {"w", "row-major", ATTN_F32, {1}, 4};
    llvm::cantFail(assignOffsets(entries));
    auto writer = llvm::cantFail(WeightsFileWriter::create(
        folder.path("add.weights"), spec.buildId, entries));
    float one = 1;
    llvm::cantFail(
        writer->append({reinterpret_cast<const char *>(&one), sizeof(one)}));
    llvm::cantFail(writer->finish());
    return folder.path("add.weights");
  }

  mlir::MLIRContext context;
  ProgramSpec spec;
};

std::vector<const TargetSpec *> targetsOf(llvm::StringRef architecture) {
  std::vector<const TargetSpec *> targets;
  for (const TargetSpec &target : allTargets())
    if (target.triple.starts_with(architecture))
      targets.insert(targets.begin(), &target);
  return targets;
}

std::vector<const TargetSpec *> hostTargets() {
#if defined(__x86_64__)
  return targetsOf("x86_64");
#else
  return targetsOf("aarch64");
#endif
}

/// Names of a library's dynamic symbols, undefined or not.
std::set<std::string> dynamicSymbols(llvm::StringRef path, bool undefined) {
  auto file = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(path));
  auto *elf = llvm::cast<llvm::object::ELFObjectFileBase>(file.getBinary());
  std::set<std::string> names;
  for (auto symbol : elf->getDynamicSymbolIterators()) {
    bool isUndefined = llvm::cantFail(symbol.getFlags()) &
                       llvm::object::BasicSymbolRef::SF_Undefined;
    std::string name = llvm::cantFail(symbol.getName()).str();
    if (isUndefined == undefined && !name.empty())
      names.insert(name);
  }
  return names;
}

/// All that a compiled model may ask of the program that loads it.
const std::vector<std::string> kLibc = {
    "__errno_location", "close",         "free",   "fstat",  "madvise",
    "malloc",           "memcmp",        "memcpy", "memset", "mmap",
    "munmap",           "open",          "bcmp",   "strcmp", "strerror",
    "vsnprintf",        "posix_memalign"};

TEST_F(LibraryTest, SharedLibraryOpensAndComputes) {
  TemporaryFolder folder;
  std::string path = folder.path("libadd.so");
  auto error = linkSharedLibrary(path, "libadd.so", *hostTargets().front(),
                                 build(hostTargets()));
  ASSERT_FALSE(bool(error)) << llvm::toString(std::move(error));
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(library) << dlerror();
  auto getProgram = reinterpret_cast<const attn_program *(*)()>(
      dlsym(library, "add_program"));
  ASSERT_TRUE(getProgram);
  const attn_program *program = getProgram();
  EXPECT_EQ(program->abi, unsigned(ATTN_ABI_VERSION));
  EXPECT_STREQ(program->name, "add");
  EXPECT_EQ(program->dims[0].max, 100);
  EXPECT_EQ(program->inputs[0].shape[0], -1);
  EXPECT_EQ(program->weights_bytes, 64u);
  EXPECT_EQ(program->build_id[1], 8);
  ASSERT_EQ(program->variant_count, hostTargets().size());

  attn_model *model = nullptr;
  attn_error failure = {};
  ASSERT_EQ(program->functions->open(program, writeWeights(folder).c_str(),
                                     nullptr, &model, &failure),
            ATTN_OK)
      << failure.message;
  int64_t n = 3;
  float x[3] = {1, 2, 3}, y[3] = {};
  const void *inputs[] = {x};
  void *outputs[] = {y};
  ASSERT_EQ(
      program->functions->call(model, nullptr, &n, inputs, outputs, &failure),
      ATTN_OK)
      << failure.message;
  EXPECT_THAT(y, testing::ElementsAre(2, 3, 4));
  program->functions->close(model);
  dlclose(library);
}

TEST_F(LibraryTest, SharedLibraryExportsTheModelAndNeedsOnlyLibc) {
  for (llvm::StringRef architecture : {"x86_64", "aarch64"}) {
    TemporaryFolder folder;
    std::string path = folder.path("libadd.so");
    auto targets = targetsOf(architecture);
    ASSERT_FALSE(targets.empty());
    auto error =
        linkSharedLibrary(path, "libadd.so", *targets.front(), build(targets));
    ASSERT_FALSE(bool(error)) << llvm::toString(std::move(error));
    EXPECT_THAT(dynamicSymbols(path, /*undefined=*/true), IsSubsetOf(kLibc));
    EXPECT_THAT(dynamicSymbols(path, /*undefined=*/false),
                UnorderedElementsAre("add_open", "add_close",
                                     "add_workspace_bytes", "add_prepare",
                                     "add_run", "add_call", "add_describe",
                                     "add_program"));
  }
}

constexpr llvm::StringLiteral mainSource = R"(
#include "add.h"
#include <stdio.h>
int main(int argc, char **argv) {
  attn_model *model;
  attn_error error;
  if (argc != 2 || add_open(argv[1], &model, &error) != ATTN_OK)
    return puts(error.message), 1;
  float x[2] = {1, 2}, y[2];
  add_dims dims = {2};
  add_inputs inputs = {x};
  add_outputs outputs = {y};
  _Alignas(ATTN_WORKSPACE_ALIGNMENT) static char workspace[4096];
  size_t bytes;
  attn_run *run;
  if (add_workspace_bytes(model, &dims, 1, &bytes, &error) != ATTN_OK ||
      bytes > sizeof(workspace) ||
      add_prepare(model, NULL, workspace, bytes, &dims, &run, &error) ||
      add_run(run, &inputs, &outputs, &error) != ATTN_OK)
    return puts(error.message), 1;
  add_close(model);
  return !(y[0] == 2 && y[1] == 3 && add_describe()[0] == '{');
}
)";

/// Compiles main.c against the header and `library`, and runs it.
int compileAndRun(const TemporaryFolder &folder, const ModelInterface &model,
                  llvm::StringRef library, llvm::StringRef weights) {
  folder.write("add.h", makeHeader(model, /*hasWeights=*/true));
  std::string source = folder.write("main.c", mainSource);
  std::string program = folder.path("main");
  std::string command =
      (llvm::Twine(ATTNC_TEST_C_COMPILER) +
       " -fuse-ld=lld -std=c11 -Wall "
       "-Werror " +
       source + " " + library + " -o " + program + " -Wl,-rpath," +
       folder.path("") + " && " + program + " " + weights)
          .str();
  return std::system(command.c_str());
}

TEST_F(LibraryTest, CProgramsLinkEachKindOfLibrary) {
  TemporaryFolder folder;
  std::vector<ObjectFile> objects = build(hostTargets());
  const TargetSpec &target = *hostTargets().front();
  std::string weights = writeWeights(folder);
  std::string archive = folder.path("add.a"), object = folder.path("all.o"),
              shared = folder.path("libadd.so");
  ASSERT_FALSE(bool(writeArchive(archive, objects)));
  EXPECT_EQ(compileAndRun(folder, spec.interface, archive, weights), 0);
  ASSERT_FALSE(bool(linkObject(object, target, objects)));
  EXPECT_EQ(compileAndRun(folder, spec.interface, object, weights), 0);
  ASSERT_FALSE(bool(linkSharedLibrary(shared, "libadd.so", target, objects)));
  EXPECT_EQ(compileAndRun(folder, spec.interface, shared, weights), 0);
}

TEST_F(LibraryTest, EqualInputGivesEqualBytes) {
  TemporaryFolder folder;
  const TargetSpec &target = *hostTargets().front();
  for (const char *name : {"a", "b"}) {
    std::vector<ObjectFile> objects = build(hostTargets());
    ASSERT_FALSE(bool(writeArchive(folder.path(name), objects)));
    ASSERT_FALSE(bool(linkSharedLibrary(folder.path(std::string(name) + ".so"),
                                        "libadd.so", target, objects)));
    ASSERT_FALSE(bool(
        linkObject(folder.path(std::string(name) + ".o"), target, objects)));
  }
  using attn::test::readFile;
  EXPECT_EQ(readFile(folder.path("a")), readFile(folder.path("b")));
  EXPECT_EQ(readFile(folder.path("a.so")), readFile(folder.path("b.so")));
  EXPECT_EQ(readFile(folder.path("a.o")), readFile(folder.path("b.o")));
}

TEST_F(LibraryTest, DescriptionIsJson) {
  spec.variants = hostTargets();
  auto json = llvm::json::parse(describeProgram(spec));
  ASSERT_TRUE(bool(json)) << llvm::toString(json.takeError());
  const llvm::json::Object &object = *json->getAsObject();
  EXPECT_EQ(object.getString("build_id"), "07080900000000000000000000000000");
  EXPECT_EQ(object.getInteger("weights_bytes"), 64);
  EXPECT_EQ(object.getArray("variants")->size(), hostTargets().size());
}

TEST_F(LibraryTest, MissingFunctionsAreErrors) {
  auto object = variant(*hostTargets().front(), R"(
    llvm.func @add_ISA_plan(%dims: !llvm.ptr, %slots: i64, %offsets: !llvm.ptr) -> i64 {
      llvm.return %slots : i64
    })");
  ASSERT_FALSE(bool(object));
  EXPECT_THAT(llvm::toString(object.takeError()), HasSubstr("_body'"));
}

TEST_F(LibraryTest, CallsOfLibmAreErrors) {
  std::string source = addOne.str() + R"(
    llvm.func @expf(f32) -> f32
    llvm.func @add_ISA_more(%x: f32) -> f32 attributes {no_inline} {
      %y = llvm.call @expf(%x) : (f32) -> f32
      llvm.return %y : f32
    })";
  source = replaceAll(source, "@helper(%value", "@add_ISA_more(%value");
  source = replaceAll(source, "@add_ISA_more(%value, %w) : (f32, f32)",
                      "@add_ISA_more(%value) : (f32)");
  ObjectFile object = llvm::cantFail(variant(*hostTargets().front(), source));
  EXPECT_THAT(llvm::toString(checkUndefinedSymbols(object)),
              HasSubstr("generated code needs 'expf'"));
}

TEST_F(LibraryTest, AFolderThatIsMissingIsAnError) {
  std::vector<ObjectFile> objects = build(hostTargets());
  const TargetSpec &target = *hostTargets().front();
  EXPECT_THAT(llvm::toString(writeArchive("/nonexistent/a", objects)),
              HasSubstr("/nonexistent/a: cannot create a file"));
  EXPECT_THAT(llvm::toString(linkSharedLibrary("/nonexistent/a.so", "a.so",
                                               target, objects)),
              HasSubstr("/nonexistent/a.so: cannot link"));
}

TEST_F(LibraryTest, PartsShareTheWeights) {
  // A step that adds one, and an encoder that does the same.
  spec.interface.cache = {64, 4096, 0, 0};
  FunctionSpec part;
  part.interface = spec.interface;
  part.interface.name = "encode";
  part.interface.cache = {64, 4096, 0, -1};
  spec.parts.push_back(part);
  spec.variants = hostTargets();
  std::vector<ObjectFile> objects;
  for (const TargetSpec *target : spec.variants) {
    std::string text = replaceAll(addOne.str(), "ISA", target->isa);
    std::string second =
        replaceAll(replaceAll(text, "@add_", "@ADD"), "@ADD", "@add_encode_");
    second = replaceAll(second, "@helper", "@HELP");
    auto code =
        mlir::parseSourceString<mlir::ModuleOp>(text + second, &context);
    ASSERT_TRUE(code);
    llvm::LLVMContext llvmContext;
    auto module = llvm::cantFail(
        makeVariantModule(*code, functionSymbols(spec), *target, llvmContext));
    objects.push_back(llvm::cantFail(
        emitObject(*module, *target, ("add_" + target->isa + ".o").str())));
  }
  llvm::LLVMContext llvmContext;
  auto tables = makeProgramModule(spec, llvmContext);
  objects.push_back(
      llvm::cantFail(emitObject(*tables, *spec.variants.front(), "add.o")));
  llvm::cantFail(checkUndefinedSymbols(objects.back(), programImports(spec)));
  objects.push_back(llvm::cantFail(commonObject(*spec.variants.front())));
  TemporaryFolder folder;
  std::string path = folder.path("libadd.so");
  llvm::cantFail(
      linkSharedLibrary(path, "libadd.so", *spec.variants.front(), objects));
  EXPECT_THAT(dynamicSymbols(path, /*undefined=*/false),
              UnorderedElementsAre(
                  "add_open", "add_close", "add_describe", "add_program",
                  "add_page_bytes", "add_sequence_pages",
                  "add_step_workspace_bytes", "add_step_prepare",
                  "add_step_run", "add_step_call", "add_encode_workspace_bytes",
                  "add_encode_prepare", "add_encode_run", "add_encode_call"));

  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(library) << dlerror();
  auto *program = reinterpret_cast<const attn_program *(*)()>(
      dlsym(library, "add_program"))();
  ASSERT_EQ(program->part_count, 1u);
  EXPECT_STREQ(program->parts[0]->name, "encode");
  EXPECT_EQ(program->parts[0]->cache->memory_length, -1);
  EXPECT_EQ(program->cache->page_bytes, 4096);
  EXPECT_EQ(reinterpret_cast<size_t (*)()>(dlsym(library, "add_page_bytes"))(),
            4096u);
  EXPECT_EQ(reinterpret_cast<size_t (*)(size_t, size_t)>(
                dlsym(library, "add_sequence_pages"))(130, 1),
            3u);
  attn_model *model = nullptr;
  attn_error failure = {};
  ASSERT_EQ(program->functions->open(program, writeWeights(folder).c_str(),
                                     nullptr, &model, &failure),
            ATTN_OK)
      << failure.message;
  const attn_model *encoder = program->functions->part(model, 0);
  int64_t n = 2;
  for (const attn_model *one :
       {static_cast<const attn_model *>(model), encoder}) {
    size_t bytes = 0;
    EXPECT_EQ(program->functions->workspace_bytes(one, &n, 1, &bytes, &failure),
              ATTN_OK)
        << failure.message;
  }
  program->functions->close(model);
  dlclose(library);
}

} // namespace
