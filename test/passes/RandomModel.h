// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Small random models: stacks of layers, some of them odd.

#ifndef ATTN_TEST_PASSES_RANDOMMODEL_H
#define ATTN_TEST_PASSES_RANDOMMODEL_H

#include <random>
#include <string>
#include <vector>

namespace attn::test {

/// Writes the IR of a model: one or two stacks of equal layers over
/// tensor<batch x sequence x 4>, with residuals, parameters that layers share,
/// a second value that passes from layer to layer, outputs from inside.
class RandomModel {
public:
  explicit RandomModel(unsigned seed) : source(seed) {}

  std::string write() {
    std::string x = "%x";
    unsigned stacks = 1 + pick(2);
    for (unsigned stack = 0; stack < stacks; ++stack)
      x = writeStack(x, stack);
    outputs.push_back(x);
    if (pick(4) == 0)
      outputs.push_back(outputs[pick(outputs.size())]);
    std::string results, types;
    for (const std::string &output : outputs) {
      results += (results.empty() ? "" : ", ") + output;
      types += (types.empty() ? "" : ", ") + kType;
    }
    return "#id = affine_map<(b, s, c) -> (b, s, c)>\nfunc.func @model(%x: " +
           kType + kDims + ", %y: " + kType + kDims + ") -> (" + types +
           ") {\n" + kSizes + text + "  return " + results + " : " + types +
           "\n}\n";
  }

private:
  const std::string kType = "tensor<?x?x4xf32>";
  const std::string kDims = " {attn.dims = [\"batch\", \"sequence\", \"\"]}";
  const std::string kSizes =
      "  %c0 = arith.constant 0 : index\n"
      "  %c1 = arith.constant 1 : index\n"
      "  %batch = tensor.dim %x, %c0 : tensor<?x?x4xf32>\n"
      "  %length = tensor.dim %x, %c1 : tensor<?x?x4xf32>\n"
      "  %empty = tensor.empty(%batch, %length) : tensor<?x?x4xf32>\n";

  unsigned pick(unsigned count) { return source() % count; }

  std::string line(const std::string &code) {
    std::string name = "%v" + std::to_string(next++);
    text += "  " + name + " = " + code + "\n";
    return name;
  }
  std::string weight(const std::string &name, const std::string &type) {
    return line("attn.weight \"" + name + "\" : " + type);
  }
  std::string add(const std::string &a, const std::string &b) {
    return line("linalg.generic {indexing_maps = [#id, #id, #id], "
                "iterator_types = [\"parallel\", \"parallel\", \"parallel\"]} "
                "ins(" +
                a + ", " + b + " : " + kType + ", " + kType +
                ") outs(%empty : " + kType +
                ") {\n"
                "  ^bb0(%a: f32, %b: f32, %o: f32):\n"
                "    %s = arith.addf %a, %b : f32\n"
                "    linalg.yield %s : f32\n  } -> " +
                kType);
  }
  /// linear(value) + residual, fused.
  std::string linearPlus(const std::string &value, const std::string &residual,
                         const std::string &scope) {
    return line("attn.linear " + value + " weights(" +
                weight(scope + "weight", "tensor<4x4xf32>") +
                " : tensor<4x4xf32>) captures(" + residual + " : " + kType +
                ") maps [#id] epilogue {\n"
                "  ^bb0(%acc: f32, %r: f32):\n"
                "    %s = arith.addf %acc, %r : f32\n"
                "    attn.yield %s : f32\n  } : " +
                kType + " -> " + kType);
  }

  /// What each layer of a stack does; the weights are its own or shared.
  std::string writeStep(unsigned kind, const std::string &value,
                        const std::string &residual, const std::string &scope) {
    switch (kind) {
    case 0:
      return line("attn.layer_norm " + value + " scale(" +
                  weight(scope + "scale", "tensor<4xf32>") +
                  " : tensor<4xf32>) eps 1.0e-5 : " + kType);
    case 1:
      return line("attn.linear " + value + " weights(" +
                  weight(scope + "weight", "tensor<4x4xf32>") +
                  " : tensor<4x4xf32>) : " + kType + " -> " + kType);
    case 2: {
      std::string flat =
          line("tensor.collapse_shape " + value + " [[0], [1, 2]] : " + kType +
               " into tensor<?x?xf32>");
      std::string mapped = line("attn.gelu " + flat + " : tensor<?x?xf32>");
      return line("tensor.expand_shape " + mapped +
                  " [[0], [1, 2]] output_shape [%batch, %length, 4] : "
                  "tensor<?x?xf32> into " +
                  kType);
    }
    case 3:
      return linearPlus(value, residual, scope);
    default:
      return line("attn.gelu " + value + " : " + kType);
    }
  }

  std::string writeStack(std::string x, unsigned stack) {
    unsigned layers = 1 + pick(5), sharing = pick(3);
    unsigned residual = pick(4), tap = pick(3 * layers);
    std::vector<unsigned> kinds(1 + pick(3));
    for (unsigned &kind : kinds)
      kind = pick(5);
    const std::string start = x;
    std::string second = "%y";
    for (unsigned layer = 0; layer < layers; ++layer) {
      std::string value = x;
      for (auto [i, kind] : llvm::enumerate(kinds)) {
        // Weights of a layer, of a stack or of the model.
        std::string scope = std::to_string(i);
        if (sharing < 2)
          scope += ".stack" + std::to_string(stack);
        if (sharing < 1)
          scope += ".layer" + std::to_string(layer);
        value = writeStep(kind, value, x, scope);
      }
      std::string next = value;
      if (residual == 1)
        next = add(x, value);
      if (residual == 2)
        next = add(add(value, start), "%y");
      if (residual == 3) {
        next = add(value, second);
        second = x;
      }
      x = next;
      if (tap == layer)
        outputs.push_back(pick(2) ? x : value);
    }
    return x;
  }

  std::mt19937 source;
  std::string text;
  std::vector<std::string> outputs;
  unsigned next = 0;
};

} // namespace attn::test

#endif // ATTN_TEST_PASSES_RANDOMMODEL_H
