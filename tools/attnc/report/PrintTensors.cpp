// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prints tensors as a line each or as JSON.

#include "tools/attnc/report/PrintTensors.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

static void printStatistics(const weights::Tensor &tensor, raw_ostream &os) {
  std::vector<double> values(tensor.elements());
  if (weights::isFloatingPoint(tensor.type)) {
    weights::readAsF64(tensor, 0, values);
  } else {
    std::vector<int64_t> integers(values.size());
    weights::readAsI64(tensor, 0, integers);
    values.assign(integers.begin(), integers.end());
  }
  double sum = 0, largest = 0;
  for (double value : values) {
    sum += std::abs(value);
    // Unlike std::max, keeps NaN.
    if (!(std::abs(value) <= largest))
      largest = std::isnan(largest) ? largest : std::abs(value);
  }
  os << format("  mean |x| %.6g  max |x| %.6g",
               values.empty() ? 0.0 : sum / values.size(), largest);
}

void attn::tool::printTensors(ArrayRef<weights::NamedTensor> tensors, bool json,
                              raw_ostream &os) {
  if (!json) {
    for (const auto &[name, tensor] : tensors) {
      os << name << "  " << weights::nameOf(tensor.type) << " [";
      interleaveComma(tensor.shape, os);
      os << "]";
      printStatistics(tensor, os);
      os << "\n";
    }
    return;
  }
  json::OStream out(os, 2);
  out.object([&] {
    for (const auto &[name, tensor] : tensors)
      out.attributeObject(json::fixUTF8(name), [&, &tensor = tensor] {
        out.attributeArray("shape", [&] {
          for (int64_t size : tensor.shape)
            out.value(size);
        });
        out.attributeArray("data", [&] {
          if (weights::isFloatingPoint(tensor.type)) {
            std::vector<double> values(tensor.elements());
            weights::readAsF64(tensor, 0, values);
            // JSON has no NaN and no infinity.
            for (double value : values)
              std::isfinite(value) ? out.value(value) : out.value(nullptr);
          } else {
            std::vector<int64_t> values(tensor.elements());
            weights::readAsI64(tensor, 0, values);
            for (int64_t value : values)
              out.value(value);
          }
        });
      });
  });
  os << "\n";
}
