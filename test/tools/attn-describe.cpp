// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builds a model of a .attn description and prints its IR, so that tests can
// see what a description means.

#include "dialect/AttnDialect.h"
#include "frontend/language/Language.h"
#include "frontend/zoo/Zoo.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"

namespace cl = llvm::cl;

static int fail(const llvm::Twine &message) {
  llvm::errs() << "attn-describe: " << message << "\n";
  return 1;
}

static bool readConfig(llvm::StringRef path, llvm::json::Object &config) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return !fail(path + ": " + buffer.getError().message());
  llvm::Expected<llvm::json::Value> json =
      llvm::json::parse((*buffer)->getBuffer());
  if (!json)
    return !fail(path + ": " + llvm::toString(json.takeError()));
  if (llvm::json::Object *object = json->getAsObject())
    config = std::move(*object);
  return true;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::opt<std::string> file(cl::Positional, cl::Required,
                            cl::desc("FILE.attn, or a model type of the zoo"));
  cl::opt<std::string> config("config", cl::desc("config.json"));
  cl::opt<std::string> model("model", cl::desc("which model of the file"));
  cl::list<std::string> dims("dim", cl::desc("name=value"));
  cl::list<std::string> absent("absent", cl::desc("optional inputs left out"));
  cl::opt<bool> locations("locations", cl::desc("print locations"));
  cl::ParseCommandLineOptions(argc, argv, "prints the IR of a description\n");

  attn::lang::Source source;
  if (auto known = attn::zoo::forModelType(file)) {
    source = *known;
  } else {
    auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/true);
    if (!buffer)
      return fail(file + ": " + buffer.getError().message());
    llvm::StringRef name = llvm::StringRef(file).rsplit('/').second;
    source = {name.empty() ? std::string(file) : name.str(),
              (*buffer)->getBuffer().str()};
  }
  attn::lang::BuildOptions options;
  options.model = model;
  options.absent.assign(absent.begin(), absent.end());
  options.import = attn::zoo::importDescription;
  if (!config.empty() && !readConfig(config, options.config))
    return 1;
  for (llvm::StringRef dim : dims) {
    auto [name, text] = dim.split('=');
    int64_t value;
    if (text.getAsInteger(10, value))
      return fail("expects --dim name=value, but got " + dim);
    options.dims[name] = value;
  }
  mlir::MLIRContext context;
  std::string diagnostics;
  auto module = attn::lang::buildModel(&context, source, options, diagnostics);
  llvm::errs() << diagnostics;
  if (!module)
    return 1;
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(locations, /*prettyForm=*/true);
  module->print(llvm::outs(), flags);
}
