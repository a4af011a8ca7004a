// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prints a model's interface, blocks and costs, for people and for programs.

#include "tools/attnc/report/ModelReport.h"

#include "tools/attnc/report/Table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

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
               withPrefix(report.evaluateFlops(block.flops), ""),
               operationsText(block)});
  os << "\n";
  table.print(os);
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

} // namespace

double ModelReport::evaluateFlops(const DimExpr &value) const {
  std::vector<int64_t> bySymbol;
  for (const std::string &symbol : structure.symbols)
    for (auto [dim, size] : zip_equal(interface.dims, sizes))
      if (dim.name == symbol)
        bySymbol.push_back(size);
  return evaluate(value, bySymbol);
}

void ModelReport::print(raw_ostream &os) const {
  os << name << "\n";
  printTensors("inputs", interface, interface.inputs, os);
  printTensors("outputs", interface, interface.outputs, os);
  printDims(interface.dims, os);
  printBlocks(*this, os);
  std::string at = sizesText(*this);
  os << "\nparameters  " << withCommas(structure.parameters) << "\nFLOP        "
     << structure.flops.str(structure.symbols) << "\n";
  if (!at.empty())
    os << "            " << withPrefix(flops, "FLOP") << " at " << at << "\n";
  if (!compiled) {
    os << "weights     not given: --weights shows the sizes of what is "
          "compiled\n";
    return;
  }
  os << "weights     " << withPrefix(compiled->weightsBytes, "B")
     << "\nlibrary     " << withPrefix(compiled->libraryBytes, "B") << " for "
     << target << "\n";
  if (compiled->workspaceBytes)
    os << "workspace   " << withPrefix(*compiled->workspaceBytes, "B")
       << (at.empty() ? "" : " at " + at) << ", and "
       << withPrefix(*compiled->workspaceBytesPerThread, "B")
       << " for each thread after the first\n";
}

json::Value ModelReport::toJson() const {
  json::Array dims;
  for (auto [dim, size] : zip_equal(interface.dims, sizes))
    dims.push_back(json::Object{{"name", dim.name},
                                {"min", dim.min},
                                {"max", dim.max},
                                {"size", size}});
  json::Object object{
      {"name", name},
      {"inputs", tensorsJson(interface, interface.inputs)},
      {"outputs", tensorsJson(interface, interface.outputs)},
      {"dims", std::move(dims)},
      {"blocks", blocksJson(*this)},
      {"parameters", structure.parameters},
      {"flops", flops},
      {"flops_polynomial", structure.flops.str(structure.symbols)},
      {"target", target}};
  if (compiled) {
    object["weights_bytes"] = compiled->weightsBytes;
    object["library_bytes"] = compiled->libraryBytes;
    object["workspace_bytes"] = compiled->workspaceBytes;
    object["workspace_bytes_per_thread"] = compiled->workspaceBytesPerThread;
  }
  return object;
}
