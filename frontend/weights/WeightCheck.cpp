// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whether a file's tensors are the ones that a model needs.

#include "frontend/weights/WeightCheck.h"

#include "frontend/weights/Message.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

#include <set>

using namespace llvm;

namespace attn::weights {

// Each list in a report shows this many weights and counts the others.
static constexpr size_t longestList = 20;

bool matchesPattern(StringRef name, StringRef pattern) {
  // Backtracks to the last star only, which is enough and keeps it quadratic.
  size_t n = 0, p = 0;
  size_t afterStar = StringRef::npos, retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      afterStar = ++p;
      retry = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (afterStar != StringRef::npos) {
      p = afterStar;
      n = ++retry;
    } else {
      return false;
    }
  }
  return pattern.drop_front(p).find_first_not_of('*') == StringRef::npos;
}

namespace {
/// The faults found, sorted by kind, in the order the report shows them.
struct Faults {
  std::vector<const ExpectedWeight *> missing;
  std::vector<StringRef> unused;
  std::vector<const ExpectedWeight *> misshapen;
  std::vector<StringRef> notFloating;

  bool none() const {
    return missing.empty() && unused.empty() && misshapen.empty() &&
           notFloating.empty();
  }
};
} // namespace

/// "encoder.layer.0" of "encoder.layer.0.weight".
static StringRef moduleOf(StringRef name) {
  return name.contains('.') ? name.rsplit('.').first : StringRef();
}

static Faults findFaults(ArrayRef<ExpectedWeight> expected,
                         ArrayRef<std::string> ignoredPatterns,
                         const TensorTable &table, Coverage coverage) {
  Faults faults;
  StringSet<> used, modules;
  std::set<std::pair<StringRef, ArrayRef<int64_t>>> seen; // Tied weights.
  for (const ExpectedWeight &weight : expected) {
    bool isFirst = used.insert(weight.name).second;
    modules.insert(moduleOf(weight.name));
    modules.insert(moduleOf(table.storedName(weight.name)));
    if (!seen.insert({weight.name, weight.shape}).second)
      continue;
    const Tensor *tensor = table.find(weight.name);
    if (!tensor) {
      faults.missing.push_back(&weight);
      continue;
    }
    if (ArrayRef(tensor->shape) != ArrayRef(weight.shape))
      faults.misshapen.push_back(&weight);
    if (isFirst && !isFloatingPoint(tensor->type))
      faults.notFloating.push_back(weight.name);
  }
  auto mayStay = [&](StringRef name) {
    return (coverage == Coverage::Part && !modules.contains(moduleOf(name))) ||
           any_of(ignoredPatterns, [&](const std::string &pattern) {
             return matchesPattern(name, pattern);
           });
  };
  for (StringRef name : table.names())
    if (!used.contains(name) && !mayStay(name))
      faults.unused.push_back(name);
  return faults;
}

// Names that differ by a prefix (`vit.` and none) are nearer than their edit
// distance tells. Empty where nothing is near.
static StringRef nearestName(StringRef missing, ArrayRef<StringRef> unused) {
  StringRef nearest;
  unsigned distance = missing.size() / 3 + 1; // Farther names mislead.
  for (StringRef name : unused) {
    if (name.ends_with(("." + missing).str()) ||
        missing.ends_with(("." + name).str()))
      return name;
    unsigned d = name.edit_distance(missing, /*AllowReplacements=*/true,
                                    /*MaxEditDistance=*/distance);
    if (d < distance) {
      nearest = name;
      distance = d;
    }
  }
  return nearest;
}

template <typename Item, typename Describe>
static void report(std::string &text, StringRef kind, ArrayRef<Item> items,
                   Describe describe) {
  for (const Item &item : items.take_front(longestList))
    text += "\n  " + describe(item);
  if (items.size() > longestList)
    text += "\n  and " + std::to_string(items.size() - longestList) + " more " +
            kind.str();
}

static std::string summary(const Faults &faults) {
  std::string text;
  auto add = [&](size_t count, StringRef kind) {
    if (count)
      text +=
          (text.empty() ? "" : ", ") + std::to_string(count) + " " + kind.str();
  };
  add(faults.missing.size(), "missing");
  add(faults.unused.size(), "unused");
  add(faults.misshapen.size(), "misshapen");
  add(faults.notFloating.size(), "of the wrong type");
  return text;
}

static std::string describeMissing(const ExpectedWeight &weight,
                                   ArrayRef<StringRef> unused) {
  std::string text = "tensor " + quoted(weight.name) + ": expects " +
                     shapeText(weight.shape) + ", but it is missing";
  if (StringRef nearest = nearestName(weight.name, unused); !nearest.empty())
    text += "; did you mean " + quoted(nearest) + "?";
  return text;
}

static Error reportFaults(const Faults &faults, const TensorTable &table) {
  std::string text =
      "expects the weights of the model, but some differ: " + summary(faults);
  report<const ExpectedWeight *>(
      text, "missing weights", faults.missing,
      [&](auto *weight) { return describeMissing(*weight, faults.unused); });
  report<StringRef>(text, "unused weights", faults.unused, [&](StringRef name) {
    return "tensor " + quoted(name) + ": is " +
           shapeText(table.find(name)->shape) +
           ", but nothing in the model uses it";
  });
  report<const ExpectedWeight *>(
      text, "misshapen weights", faults.misshapen, [&](auto *weight) {
        return "tensor " + quoted(table.storedName(weight->name)) +
               ": expects " + shapeText(weight->shape) + ", but got " +
               shapeText(table.find(weight->name)->shape);
      });
  report<StringRef>(text, "weights of the wrong type", faults.notFloating,
                    [&](StringRef name) {
                      return "tensor " + quoted(table.storedName(name)) +
                             ": expects F32, F16, BF16 or F64, but got " +
                             nameOf(table.find(name)->type).str();
                    });
  return fileError(table.origin(), text);
}

Error checkWeights(ArrayRef<ExpectedWeight> expected,
                   ArrayRef<std::string> ignoredPatterns,
                   const TensorTable &table, Coverage coverage) {
  Faults faults = findFaults(expected, ignoredPatterns, table, coverage);
  return faults.none() ? Error::success() : reportFaults(faults, table);
}

} // namespace attn::weights
