// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prints what became of a model's operations, for people and for programs.

#include "tools/attnc/report/Explanation.h"

#include "tools/attnc/report/Table.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace attn::tool;

static std::string milliseconds(double seconds) {
  return formatv("{0:F4} ms", seconds * 1e3);
}

static std::string describe(const OperationFate &fate) {
  std::string text = formatv("{0,-18} {1,-11}", fate.place, fate.operation);
  if (fate.text.empty())
    return StringRef(text).rtrim().str();
  return text + (fate.isDone ? " fused: " : " not fused: ") + fate.text + " (" +
         fate.pass + ")";
}

double Explanation::seconds() const {
  double sum = 0;
  for (const KernelExplanation &kernel : kernels)
    sum += kernel.times * kernel.seconds;
  return sum;
}

void Explanation::print(raw_ostream &os) const {
  os << name << " for " << target
     << formatv(", one core of {0:F0} GFLOP/s and {1:F0} GB/s", gflops,
                memoryGigabytes);
  for (const auto &[dim, size] : sizes)
    os << ", " << dim << "=" << size;
  os << "\n\n";
  Table table({{"kernel", Table::Left},
               {"", Table::Right},
               {"tile", Table::Left},
               {"FLOP", Table::Right},
               {"memory", Table::Right},
               {"predicted", Table::Right}});
  for (const KernelExplanation &kernel : kernels) {
    table.row({kernel.kernel,
               kernel.times > 1 ? "x" + std::to_string(kernel.times) : "",
               kernel.tile, withPrefix(kernel.flops, ""),
               withPrefix(kernel.bytes, "B"), milliseconds(kernel.seconds)});
    if (kernel.attention)
      for (const std::string &line : kernel.attention->text())
        table.note(line);
    for (const OperationFate &fate : kernel.operations)
      table.note(describe(fate));
  }
  table.print(os);
  os << "\n  predicted " << milliseconds(seconds()) << "\n";
  if (!others.empty())
    os << "\n  of operations that are part of no kernel:\n";
  for (const OperationFate &fate : others)
    os << "      " << describe(fate) << "\n";
}

static json::Object fateToJson(const OperationFate &fate) {
  json::Object object{{"place", fate.place}, {"operation", fate.operation}};
  if (!fate.text.empty()) {
    object["fused"] = fate.isDone;
    object["reason"] = fate.text;
    object["pass"] = fate.pass;
  }
  return object;
}

static json::Array fatesToJson(ArrayRef<OperationFate> fates) {
  json::Array array;
  for (const OperationFate &fate : fates)
    array.push_back(fateToJson(fate));
  return array;
}

json::Value Explanation::toJson() const {
  json::Array array;
  for (const KernelExplanation &kernel : kernels) {
    json::Object object{{"kernel", kernel.kernel},
                        {"times", kernel.times},
                        {"tile", kernel.tile},
                        {"flops", kernel.flops},
                        {"bytes", kernel.bytes},
                        {"predicted_ms", kernel.seconds * 1e3},
                        {"operations", fatesToJson(kernel.operations)}};
    if (kernel.attention)
      object["attention"] = kernel.attention->toJson();
    array.push_back(std::move(object));
  }
  json::Object dims;
  for (const auto &[dim, size] : sizes)
    dims[dim] = size;
  return json::Object{{"name", name},
                      {"target", target},
                      {"gflops", gflops},
                      {"memory_gigabytes", memoryGigabytes},
                      {"dims", std::move(dims)},
                      {"predicted_ms", seconds() * 1e3},
                      {"kernels", std::move(array)},
                      {"others", fatesToJson(others)}};
}
