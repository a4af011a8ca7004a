// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc inspect: what a model, a compiled library or a weights file holds.

#include "codegen/package/Interface.h"
#include "codegen/package/WeightsFile.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/report/Structure.h"
#include "tools/attnc/report/Table.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

/// What only the compiled model tells.
struct CompiledSizes {
  uint64_t weightsBytes = 0;
  uint64_t libraryBytes = 0;
  /// Exact, for one thread and for each further one; none where this machine
  /// cannot load the library.
  std::optional<size_t> workspaceBytes, workspaceBytesPerThread;
};

struct ModelReport {
  std::string name, target;
  package::ModelInterface interface;
  std::vector<int64_t> sizes; ///< of the interface's dims
  ModelStructure structure;
  double flops = 0; ///< at these sizes
  std::optional<CompiledSizes> compiled;

  double evaluateFlops(const DimExpr &value) const {
    std::vector<int64_t> bySymbol;
    for (const std::string &symbol : structure.symbols)
      for (auto [dim, size] : zip_equal(interface.dims, sizes))
        if (dim.name == symbol)
          bySymbol.push_back(size);
    return evaluate(value, bySymbol);
  }
};

Expected<std::vector<int64_t>>
chooseModelSizes(const CommandLine &line,
                 const package::ModelInterface &interface) {
  std::vector<attn_dim_info> infos;
  for (const package::DimInterface &dim : interface.dims)
    infos.push_back({dim.name.c_str(), dim.min, dim.max});
  return chooseSizes(line, infos, usualSize);
}

Error readWorkspace(StringRef library, ArrayRef<int64_t> sizes,
                    CompiledSizes &compiled) {
  auto engine = Engine::open(library, 1);
  if (!engine)
    return engine.takeError();
  auto one = (*engine)->workspaceBytes(sizes, 1);
  auto two = (*engine)->workspaceBytes(sizes, 2);
  if (!one || !two)
    return joinErrors(one.takeError(), two.takeError());
  compiled.workspaceBytes = *one;
  compiled.workspaceBytesPerThread = *two - *one;
  return Error::success();
}

/// Compiles into the cache: what is inspected is what will run.
Expected<CompiledSizes> compileSizes(LoadedModel &model,
                                     ArrayRef<const TargetSpec *> targets,
                                     ArrayRef<int64_t> sizes) {
  CompilerOptions options;
  options.targets = targets.vec();
  auto library = compileCached(model, options);
  if (!library)
    return library.takeError();
  CompiledSizes compiled;
  if (std::error_code error =
          sys::fs::file_size(*library, compiled.libraryBytes))
    return createStringError(error, *library + ": " + error.message());
  SmallString<128> weights(*library);
  sys::path::replace_extension(weights, "weights");
  if (sys::fs::exists(weights))
    if (std::error_code error =
            sys::fs::file_size(weights, compiled.weightsBytes))
      return createStringError(error, weights + ": " + error.message());
  if (any_of(targets, [](const TargetSpec *t) { return runsHere(*t); }))
    if (Error error = readWorkspace(*library, sizes, compiled))
      return std::move(error);
  return compiled;
}

Expected<ModelReport> inspectModel(const CommandLine &line) {
  auto request = readRequest(line, /*fixDims=*/false);
  auto targets = readTargets(line);
  if (!request || !targets)
    return joinErrors(request.takeError(), targets.takeError());
  request->needsWeights = false;
  auto model = loadModel(*request);
  if (!model)
    return model.takeError();
  ModelReport report;
  report.name = model->name;
  report.target = join(
      map_range(*targets,
                [](const TargetSpec *target) { return target->name.str(); }),
      ",");
  auto interface = package::describeModel(model->function());
  if (failed(interface))
    return createStringError("the model has no interface; the reasons are "
                             "above");
  report.interface = *interface;
  auto sizes = chooseModelSizes(line, report.interface);
  if (!sizes)
    return sizes.takeError();
  report.sizes = *sizes;
  auto structure = readStructure(model->function());
  if (!structure)
    return structure.takeError();
  report.structure = std::move(*structure);
  report.flops = report.evaluateFlops(report.structure.flops);
  if (report.structure.parameters && model->weights.size() == 0)
    return report;
  auto compiled = compileSizes(*model, *targets, report.sizes);
  if (!compiled)
    return compiled.takeError();
  report.compiled = *compiled;
  return report;
}

std::string operationsText(const ModelBlock &block) {
  std::string text;
  ListSeparator comma;
  for (const auto &[name, count] : block.operations) {
    text += StringRef(comma).str() + name;
    if (count > 1)
      text += " x" + std::to_string(count);
  }
  return text;
}

std::string sizesText(const ModelReport &report) {
  std::string text;
  ListSeparator comma;
  for (auto [dim, size] : zip_equal(report.interface.dims, report.sizes))
    text += StringRef(comma).str() + dim.name + "=" + std::to_string(size);
  return text;
}

void printTensors(StringRef title, const package::ModelInterface &interface,
                  ArrayRef<package::TensorInterface> tensors, raw_ostream &os) {
  os << "\n" << title << "\n";
  for (const package::TensorInterface &tensor : tensors) {
    os << "  " << tensor.name << "  "
       << (tensor.dtype == ATTN_F32 ? "f32" : "i64") << " "
       << package::shapeText(interface, tensor);
    if (tensor.bound)
      os << "  in [0, " << tensor.bound << ")";
    os << "\n";
  }
}

void printDims(ArrayRef<package::DimInterface> dims, raw_ostream &os) {
  if (dims.empty())
    return;
  os << "\ndynamic dimensions\n";
  for (const package::DimInterface &dim : dims) {
    os << "  " << dim.name << "  from " << dim.min;
    if (dim.max < package::kDefaultDimMax)
      os << " to " << dim.max;
    os << "\n";
  }
}

void printBlocks(const ModelReport &report, raw_ostream &os) {
  Table table({{"block", Table::Left},
               {"", Table::Right},
               {"parameters", Table::Right},
               {"FLOP", Table::Right},
               {"operations", Table::Left}});
  for (const ModelBlock &block : report.structure.blocks)
    table.row({block.name,
               block.count > 1 ? "x" + std::to_string(block.count) : "",
               withCommas(block.parameters),
               withPrefix(report.evaluateFlops(block.flops), ""),
               operationsText(block)});
  os << "\n";
  table.print(os);
}

void print(const ModelReport &report, raw_ostream &os) {
  const ModelStructure &structure = report.structure;
  os << report.name << "\n";
  printTensors("inputs", report.interface, report.interface.inputs, os);
  printTensors("outputs", report.interface, report.interface.outputs, os);
  printDims(report.interface.dims, os);
  printBlocks(report, os);
  std::string sizes = sizesText(report);
  os << "\nparameters  " << withCommas(structure.parameters) << "\nFLOP        "
     << structure.flops.str(structure.symbols) << "\n";
  if (!sizes.empty())
    os << "            " << withPrefix(report.flops, "FLOP") << " at " << sizes
       << "\n";
  if (!report.compiled) {
    os << "weights     not given: --weights shows the sizes of what is "
          "compiled\n";
    return;
  }
  const CompiledSizes &compiled = *report.compiled;
  os << "weights     " << withPrefix(compiled.weightsBytes, "B")
     << "\nlibrary     " << withPrefix(compiled.libraryBytes, "B") << " for "
     << report.target << "\n";
  if (compiled.workspaceBytes)
    os << "workspace   " << withPrefix(*compiled.workspaceBytes, "B")
       << (sizes.empty() ? "" : " at " + sizes) << ", and "
       << withPrefix(*compiled.workspaceBytesPerThread, "B")
       << " for each thread after the first\n";
}

json::Array tensorsJson(const package::ModelInterface &interface,
                        ArrayRef<package::TensorInterface> tensors) {
  json::Array array;
  for (const package::TensorInterface &tensor : tensors) {
    json::Array shape;
    for (int64_t size : tensor.shape)
      shape.push_back(size >= 0 ? json::Value(size)
                                : json::Value(interface.dims[-1 - size].name));
    json::Object object{{"name", tensor.name},
                        {"dtype", tensor.dtype == ATTN_F32 ? "f32" : "i64"},
                        {"shape", std::move(shape)}};
    if (tensor.bound)
      object["bound"] = tensor.bound;
    array.push_back(std::move(object));
  }
  return array;
}

json::Array blocksJson(const ModelReport &report) {
  json::Array array;
  for (const ModelBlock &block : report.structure.blocks) {
    json::Object operations;
    for (const auto &[name, count] : block.operations)
      operations[name] = count;
    array.push_back(json::Object{
        {"name", block.name},
        {"count", block.count},
        {"parameters", block.parameters},
        {"flops", report.evaluateFlops(block.flops)},
        {"flops_polynomial", block.flops.str(report.structure.symbols)},
        {"operations", std::move(operations)}});
  }
  return array;
}

json::Value toJson(const ModelReport &report) {
  json::Array dims;
  for (auto [dim, size] : zip_equal(report.interface.dims, report.sizes))
    dims.push_back(json::Object{{"name", dim.name},
                                {"min", dim.min},
                                {"max", dim.max},
                                {"size", size}});
  json::Object object{
      {"name", report.name},
      {"inputs", tensorsJson(report.interface, report.interface.inputs)},
      {"outputs", tensorsJson(report.interface, report.interface.outputs)},
      {"dims", std::move(dims)},
      {"blocks", blocksJson(report)},
      {"parameters", report.structure.parameters},
      {"flops", report.flops},
      {"flops_polynomial",
       report.structure.flops.str(report.structure.symbols)},
      {"target", report.target}};
  if (report.compiled) {
    object["weights_bytes"] = report.compiled->weightsBytes;
    object["library_bytes"] = report.compiled->libraryBytes;
    object["workspace_bytes"] = report.compiled->workspaceBytes;
    object["workspace_bytes_per_thread"] =
        report.compiled->workspaceBytesPerThread;
  }
  return object;
}

//===----------------------------------------------------------------------===//
// Weights files and libraries
//===----------------------------------------------------------------------===//

std::string shapeText(ArrayRef<int64_t> shape) {
  return "[" +
         join(map_range(shape,
                        [](int64_t size) { return std::to_string(size); }),
              ", ") +
         "]";
}

void print(const package::WeightsFile &file, raw_ostream &os) {
  os << "build id    " << toHex(file.buildId(), /*LowerCase=*/true)
     << "\nABI         " << file.abi() << "\ndata        "
     << withPrefix(file.data().size(), "B") << "\n\n";
  Table table({{"entry", Table::Left},
               {"type", Table::Left},
               {"shape", Table::Left},
               {"layout", Table::Left},
               {"offset", Table::Right},
               {"bytes", Table::Right},
               {"CRC-32", Table::Right}});
  for (const package::WeightsEntry &entry : file.entries())
    table.row({entry.name, entry.dtype == ATTN_F32 ? "f32" : "i64",
               shapeText(entry.shape), entry.layout,
               std::to_string(entry.offset), std::to_string(entry.bytes),
               formatv("{0:x-8}", entry.crc)});
  table.print(os);
}

json::Value toJson(const package::WeightsFile &file) {
  json::Array entries;
  for (const package::WeightsEntry &entry : file.entries())
    entries.push_back(
        json::Object{{"name", json::fixUTF8(entry.name)},
                     {"dtype", entry.dtype == ATTN_F32 ? "f32" : "i64"},
                     {"shape", json::Array(entry.shape)},
                     {"layout", json::fixUTF8(entry.layout)},
                     {"offset", entry.offset},
                     {"bytes", entry.bytes},
                     {"crc32", entry.crc}});
  return json::Object{{"build_id", toHex(file.buildId(), /*LowerCase=*/true)},
                      {"abi", file.abi()},
                      {"data_bytes", file.data().size()},
                      {"entries", std::move(entries)}};
}

void printJson(json::Value value, raw_ostream &os) {
  json::OStream(os, 2).value(value);
  os << "\n";
}

Error inspectWeights(const CommandLine &line, StringRef path) {
  auto file = package::WeightsFile::open(path);
  if (!file)
    return file.takeError();
  if (line.has(OPT_check))
    if (Error error = file->check())
      return error;
  if (line.has(OPT_json)) {
    printJson(toJson(*file), outs());
    return Error::success();
  }
  print(*file, outs());
  if (line.has(OPT_check))
    outs() << "\nall checksums are right\n";
  return Error::success();
}

/// A library says itself what it is.
Error inspectLibrary(StringRef path) {
  auto library = Library::load(path);
  if (!library)
    return library.takeError();
  outs() << (*library)->program().description << "\n";
  return Error::success();
}

} // namespace

Error attn::tool::inspectCommand(const CommandLine &line) {
  auto path = line.operand("a model, a compiled library or a weights file");
  if (!path)
    return path.takeError();
  StringRef extension = sys::path::extension(*path);
  if (extension == ".weights")
    return inspectWeights(line, *path);
  if (line.has(OPT_check))
    return make_error<UsageError>("--check expects a weights file, but got '" +
                                  *path + "'");
  if (extension == ".so")
    return inspectLibrary(*path);
  auto report = inspectModel(line);
  if (!report)
    return report.takeError();
  if (line.has(OPT_json))
    printJson(toJson(*report), outs());
  else
    print(*report, outs());
  return Error::success();
}
