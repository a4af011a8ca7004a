// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Small random recurrences.

#ifndef ATTN_TEST_PASSES_RANDOMSCAN_H
#define ATTN_TEST_PASSES_RANDOMSCAN_H

#include <random>
#include <string>
#include <vector>

namespace attn::test {

/// Writes the IR of a model of two or three scans over tensor<steps x batch x
/// 4>, one after the other, with carried values and outputs picked at random
/// among what the body computes, receives and sees, and a scan in a scan now
/// and then.
class RandomScan {
public:
  explicit RandomScan(unsigned seed) : source(seed) {}

  std::string write() {
    steps = {"%x", "%y"};
    std::vector<std::string> entries{"%h", "%g"};
    for (unsigned scan = 0, count = 2 + pick(2); scan < count; ++scan)
      writeScan(entries, /*nested=*/false);
    std::string outputs = any(steps) + ", " + any(steps) + ", " + any(entries);
    std::string types = kSteps + ", " + kSteps + ", " + kEntry;
    return "#id = affine_map<(s, c) -> (s, c)>\nfunc.func @model(%x: " +
           kSteps + kDims + ", %y: " + kSteps + kDims + ", %h: " + kEntry +
           kEntryDims + ", %g: " + kEntry + kEntryDims + ") -> (" + types +
           ") {\n" +
           "  %c1 = arith.constant 1 : index\n"
           "  %batch = tensor.dim %x, %c1 : tensor<?x?x4xf32>\n"
           "  %empty = tensor.empty(%batch) : tensor<?x4xf32>\n" +
           text + "  return " + outputs + " : " + types + "\n}\n";
  }

private:
  const std::string kSteps = "tensor<?x?x4xf32>", kEntry = "tensor<?x4xf32>";
  const std::string kDims = " {attn.dims = [\"steps\", \"batch\", \"\"]}";
  const std::string kEntryDims = " {attn.dims = [\"batch\", \"\"]}";

  unsigned pick(unsigned count) { return source() % count; }
  const std::string &any(const std::vector<std::string> &names) {
    return names[pick(names.size())];
  }
  std::string name() { return "%v" + std::to_string(next++); }
  std::string line(const std::string &code) {
    std::string result = name();
    text += "  " + result + " = " + code + "\n";
    return result;
  }

  std::string linear(const std::string &value) {
    std::string weight = line("attn.weight \"" + std::to_string(pick(3)) +
                              "\" : tensor<4x4xf32>");
    return line("attn.linear " + value + " weights(" + weight +
                " : tensor<4x4xf32>) : " + kEntry + " -> " + kEntry);
  }
  /// tanh(a + b), which may be written over either.
  std::string map(const std::string &a, const std::string &b) {
    return line("linalg.generic {indexing_maps = [#id, #id, #id], "
                "iterator_types = [\"parallel\", \"parallel\"]} ins(" +
                a + ", " + b + " : " + kEntry + ", " + kEntry +
                ") outs(%empty : " + kEntry +
                ") {\n  ^bb0(%a: f32, %b: f32, %o: f32):\n"
                "    %s = arith.addf %a, %b : f32\n"
                "    %t = math.tanh %s : f32\n"
                "    linalg.yield %t : f32\n  } -> " +
                kEntry);
  }
  std::string norm(const std::string &value) {
    return line("attn.softmax " + value + " axis 1 : " + kEntry);
  }

  /// Adds the values behind the scan to those that later ones may use.
  void writeScan(std::vector<std::string> &entries, bool nested) {
    unsigned carried = pick(3), inputs = 1 + pick(2),
             outputs = pick(3) + !carried;
    std::string initial, over, arguments, types;
    std::vector<std::string> inside = entries;
    auto append = [](std::string &list, const std::string &item) {
      list += (list.empty() ? "" : ", ") + item;
    };
    auto argument = [&] {
      std::string value = name();
      append(arguments, value + ": " + kEntry);
      // More than once, so that a step often reads what it receives.
      inside.insert(inside.end(), 3, value);
    };
    for (unsigned i = 0; i < carried; ++i, argument())
      append(initial, any(entries));
    for (unsigned i = 0; i < inputs; ++i, argument())
      append(over, any(steps));
    std::string result = name();
    text += "  " + result + ":" + std::to_string(carried + outputs) +
            " = attn.scan";
    if (carried)
      text += " carry(" + initial + " : " + list(kEntry, carried) + ")";
    text += " over(" + over + " : " + list(kSteps, inputs) + ")" +
            (pick(2) ? " reversed" : "") + " {\n  ^bb0(" + arguments + "):\n";
    for (unsigned i = 0, count = 1 + pick(6); i < count; ++i) {
      unsigned kind = pick(nested ? 6 : 7);
      if (kind < 2)
        inside.push_back(linear(any(inside)));
      else if (kind < 5)
        inside.push_back(
            map(pick(2) ? inside.back() : any(inside), any(inside)));
      else if (kind < 6)
        inside.push_back(norm(any(inside)));
      else
        writeNested(inside);
    }
    std::string yields;
    for (unsigned i = 0; i < carried + outputs; ++i)
      append(yields, pick(3) ? inside.back() : any(inside));
    text += "  attn.yield " + yields + " : " + list(kEntry, carried + outputs) +
            "\n  } : ";
    for (unsigned i = 0; i < carried + outputs; ++i)
      append(types, i < carried ? kEntry : kSteps);
    text += types + "\n";
    for (unsigned i = 0; i < carried + outputs; ++i)
      (i < carried ? entries : steps)
          .push_back(result + "#" + std::to_string(i));
  }

  /// What a scan in a scan stacks is not there behind the outer one.
  void writeNested(std::vector<std::string> &inside) {
    std::vector<std::string> outer = steps;
    writeScan(inside, /*nested=*/true);
    steps = outer;
  }

  static std::string list(const std::string &type, unsigned count) {
    std::string all = type;
    for (unsigned i = 1; i < count; ++i)
      all += ", " + type;
    return all;
  }

  std::mt19937 source;
  std::string text;
  std::vector<std::string> steps; // tensors that a scan can go over
  unsigned next = 0;
};

} // namespace attn::test

#endif // ATTN_TEST_PASSES_RANDOMSCAN_H
