// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prints a model's interface, blocks and costs, for people and for programs.

#include "tools/attnc/report/ModelReport.h"

#include "tools/attnc/report/Table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

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
               withPrefix(report.evaluateAt(block.flops), ""),
               operationsText(block)});
  os << "\n";
  table.print(os);
}

/// Memory and time of the compiled model.
void printRunning(const ModelReport &report, const std::string &at,
                  raw_ostream &os) {
  const std::optional<CompiledSizes> &compiled = report.compiled;
  os << "weights     "
     << withPrefix(
            compiled ? compiled->weightsBytes : report.plannedWeightsBytes, "B")
     << "\n";
  if (report.structure.isDecoder)
    os << "cache       "
       << withPrefix(report.evaluateAt(report.structure.memory.keyValueBytes),
                     "B")
       << at << ": keys and values in f32\n";
  if (compiled) {
    os << "library     " << withPrefix(compiled->libraryBytes, "B") << " for "
       << report.target << "\n";
    if (compiled->workspaceBytes)
      os << "workspace   " << withPrefix(*compiled->workspaceBytes, "B") << at
         << ", and " << withPrefix(*compiled->workspaceBytesPerThread, "B")
         << " for each thread after the first\n";
  } else {
    os << "library     not compiled: --weights shows its size and the "
          "workspace\n";
  }
  double seconds = report.predictedSeconds;
  bool isLong = seconds >= 1;
  os << "predicted   "
     << formatv("{0:F1} {1}", isLong ? seconds : seconds * 1e3,
                isLong ? "s" : "ms")
     << at << ", "
     << (report.threads == 1 ? "one core" : Twine(report.threads) + " cores")
     << " of " << report.target << "\n";
}

/// Weights and gradients in 16 and in 32 bits, and Adam's two moments: Smith et
/// al. 2022, "Using DeepSpeed and Megatron to Train Megatron-Turing NLG 530B".
constexpr uint64_t trainingBytesPerParameter = 20;

/// The block that keeps most activations, as the example of a layer.
const ModelBlock *largestLayer(const ModelReport &report) {
  auto bytes = [&](const ModelBlock &block) {
    return report.evaluateAt(block.memory.activationBytes);
  };
  auto largest = max_element(report.structure.blocks,
                             [&](const ModelBlock &a, const ModelBlock &b) {
                               return bytes(a) < bytes(b);
                             });
  return largest == report.structure.blocks.end() || bytes(*largest) == 0
             ? nullptr
             : &*largest;
}

void printTraining(const ModelReport &report, const std::string &at,
                   raw_ostream &os) {
  if (!report.structure.parameters)
    return;
  os << "training    "
     << withPrefix(double(trainingBytesPerParameter) *
                       report.structure.parameters,
                   "B")
     << " of weights, gradients and Adam states in mixed precision, "
     << trainingBytesPerParameter << " B a parameter\n";
  const ModelBlock *layer = largestLayer(report);
  if (!layer)
    return;
  auto both = [&](const AttentionMemory &memory) {
    return withPrefix(report.evaluateAt(memory.activationBytes), "B") + ", " +
           withPrefix(report.evaluateAt(memory.fusedActivationBytes), "B") +
           " with fused attention";
  };
  os << "activations " << both(report.structure.memory) << at
     << "\n            " << both(layer->memory) << " in "
     << (layer->count > 1 ? "each of " : "") << layer->name << "\n";
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

json::Object activationsJson(const ModelReport &report,
                             const AttentionMemory &memory) {
  return json::Object{
      {"activation_bytes", report.evaluateAt(memory.activationBytes)},
      {"activation_bytes_fused_attention",
       report.evaluateAt(memory.fusedActivationBytes)}};
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
        {"flops", report.evaluateAt(block.flops)},
        {"flops_polynomial", block.flops.str(report.structure.symbols)},
        {"key_value_cache_bytes",
         report.evaluateAt(block.memory.keyValueBytes)},
        {"training", activationsJson(report, block.memory)},
        {"operations", std::move(operations)}});
  }
  return array;
}

} // namespace

int64_t ModelReport::sizeOf(StringRef name) const {
  for (auto [dim, size] : zip_equal(interface.dims, sizes))
    if (dim.name == name)
      return size;
  return 0;
}

double ModelReport::evaluateAt(const DimExpr &value) const {
  std::vector<int64_t> bySymbol;
  for (const std::string &symbol : structure.symbols)
    bySymbol.push_back(sizeOf(symbol));
  return evaluate(value, bySymbol);
}

void ModelReport::print(raw_ostream &os) const {
  os << name << "\n";
  printTensors("inputs", interface, interface.inputs, os);
  printTensors("outputs", interface, interface.outputs, os);
  printDims(interface.dims, os);
  printBlocks(*this, os);
  std::string sizes = sizesText(*this),
              at = sizes.empty() ? "" : " at " + sizes;
  os << "\nparameters  " << withCommas(structure.parameters) << "\nFLOP        "
     << structure.flops.str(structure.symbols)
     << ", two for each multiply-add\n";
  if (!at.empty())
    os << "            " << withPrefix(flops, "FLOP") << at << "\n";
  printRunning(*this, at, os);
  printTraining(*this, at, os);
}

json::Value ModelReport::toJson() const {
  json::Array dims;
  for (auto [dim, size] : zip_equal(interface.dims, sizes))
    dims.push_back(json::Object{{"name", dim.name},
                                {"min", dim.min},
                                {"max", dim.max},
                                {"size", size}});
  json::Object training = activationsJson(*this, structure.memory);
  training["state_bytes"] = trainingBytesPerParameter * structure.parameters;
  json::Object object{
      {"name", name},
      {"inputs", tensorsJson(interface, interface.inputs)},
      {"outputs", tensorsJson(interface, interface.outputs)},
      {"dims", std::move(dims)},
      {"blocks", blocksJson(*this)},
      {"parameters", structure.parameters},
      {"flops", flops},
      {"multiply_adds", flops / 2},
      {"flops_polynomial", structure.flops.str(structure.symbols)},
      {"key_value_cache_bytes", evaluateAt(structure.memory.keyValueBytes)},
      {"predicted_seconds", predictedSeconds},
      {"threads", static_cast<int64_t>(threads)},
      {"training", std::move(training)},
      {"weights_bytes", plannedWeightsBytes},
      {"target", target}};
  if (compiled) {
    object["weights_bytes"] = compiled->weightsBytes;
    object["library_bytes"] = compiled->libraryBytes;
    object["workspace_bytes"] = compiled->workspaceBytes;
    object["workspace_bytes_per_thread"] = compiled->workspaceBytesPerThread;
  }
  return object;
}
