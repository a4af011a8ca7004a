// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tolerance of a compiled model, and the table.

#include "tools/attnc/report/Comparisons.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

/// f32 keeps 24 bits; a dot product of K terms of random sign loses about
/// sqrt(K) / 2 units of the last place, and a model some tens of those. 1e-4 of
/// the value plus 1e-4 of the tensor's mean magnitude is about fifty times the
/// worst error seen on the ViT and the BERT of the test suite.
static constexpr double kRelative = 1e-4;
static constexpr double kOfMean = 1e-4;

/// JSON has no NaN and no infinity.
static json::Value finiteOrNull(double value) {
  return std::isfinite(value) ? json::Value(value) : json::Value(nullptr);
}

/// The mean magnitude of what is finite: the rest has no scale.
static double meanMagnitude(ArrayRef<double> values) {
  double sum = 0;
  size_t count = 0;
  for (double value : values)
    if (std::isfinite(value)) {
      sum += std::abs(value);
      ++count;
    }
  return count ? sum / count : 0;
}

Comparison attn::tool::compare(StringRef name, bool isLayer,
                               const weights::Tensor &actual,
                               const reference::Array &expected) {
  Comparison result{name.str(), isLayer};
  std::vector<double> values(actual.elements());
  weights::readAsF64(actual, 0, values);
  // Positions and other whole numbers are compared as numbers.
  std::vector<double> wanted(expected.size());
  if (expected.isFloat())
    copy(expected.floats(), wanted.begin());
  else
    copy(expected.integers(), wanted.begin());
  double mean = meanMagnitude(wanted);
  for (auto [a, e] : zip_equal(values, wanted)) {
    if (a == e || (std::isnan(a) && std::isnan(e)))
      continue;
    double error = std::abs(a - e);
    double ratio = error / (kRelative * std::abs(e) + kOfMean * mean + 1e-30);
    // What is finite on one side only is the worst there is.
    if (!std::isfinite(error))
      error = ratio = INFINITY;
    result.worstError = std::max(result.worstError, error);
    result.worstRatio = std::max(result.worstRatio, ratio);
  }
  return result;
}

void attn::tool::printComparisons(ArrayRef<Comparison> comparisons, bool json,
                                  raw_ostream &os) {
  if (json) {
    json::OStream out(os, 2);
    out.object([&] {
      out.attributeArray("tensors", [&] {
        for (const Comparison &c : comparisons)
          out.object([&] {
            out.attribute("name", c.name);
            out.attribute("layer", c.isLayer);
            out.attribute("max_abs_error", finiteOrNull(c.worstError));
            out.attribute("error_over_tolerance", finiteOrNull(c.worstRatio));
            out.attribute("pass", c.worstRatio <= 1);
          });
      });
    });
    os << "\n";
    return;
  }
  size_t width = 6;
  for (const Comparison &c : comparisons)
    width = std::max(width, c.name.size());
  os << left_justify("tensor", width) << "  max error   of tolerance\n";
  for (const Comparison &c : comparisons)
    os << left_justify(c.name, width)
       << format("  %-10.3g  %-8.4f%s\n", c.worstError, c.worstRatio,
                 c.worstRatio <= 1 ? "" : "  DIFFERS");
}
