// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves tensors between files, a model and a reader's eyes.

#include "tools/attnc/engine/Tensors.h"

#include "frontend/weights/Npy.h"
#include "frontend/weights/Safetensors.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <cmath>
#include <random>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

static Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// NAME=FILE.npy, or nothing for another form of argument.
static std::optional<std::pair<std::string, std::string>>
splitNamed(StringRef argument) {
  auto [name, path] = argument.split('=');
  if (!path.ends_with(".npy") || name.empty())
    return std::nullopt;
  return std::make_pair(name.str(), path.str());
}

Expected<TensorMap> attn::tool::readTensors(ArrayRef<std::string> arguments) {
  TensorMap tensors;
  auto insert = [&](StringRef name, weights::Tensor tensor) -> Error {
    if (!tensors.emplace(name.str(), std::move(tensor)).second)
      return fail("input '" + name + "' is given twice");
    return Error::success();
  };
  for (const std::string &argument : arguments) {
    if (auto named = splitNamed(argument)) {
      auto tensor = weights::readNpy(named->second);
      if (!tensor)
        return tensor.takeError();
      if (Error error = insert(named->first, std::move(*tensor)))
        return std::move(error);
      continue;
    }
    if (StringRef(argument).ends_with(".npy"))
      return fail(argument +
                  ": a .npy file holds a tensor without a name; "
                  "write NAME=" +
                  argument);
    auto table = weights::openSafetensors(argument);
    if (!table)
      return table.takeError();
    for (StringRef name : table->names())
      if (Error error = insert(name, *table->find(name)))
        return std::move(error);
  }
  return tensors;
}

Error attn::tool::writeTensors(ArrayRef<std::string> arguments,
                               const TensorMap &tensors) {
  for (const std::string &argument : arguments) {
    if (auto named = splitNamed(argument)) {
      auto it = tensors.find(named->first);
      if (it == tensors.end())
        return fail("the model has no output '" + named->first + "'");
      if (Error error = weights::writeNpy(named->second, it->second))
        return error;
      continue;
    }
    std::vector<weights::NamedTensor> all;
    for (const auto &[name, tensor] : tensors)
      all.push_back({name, tensor});
    if (Error error = weights::writeSafetensors(argument, all))
      return error;
  }
  return Error::success();
}

Error attn::tool::convertInputs(const attn_program &program,
                                TensorMap &inputs) {
  for (const attn_tensor_info &info :
       ArrayRef(program.inputs, program.input_count)) {
    auto it = inputs.find(info.name);
    if (it == inputs.end())
      continue;
    weights::Tensor &tensor = it->second;
    bool wantsFloat = info.dtype == ATTN_F32;
    if (weights::isFloatingPoint(tensor.type) != wantsFloat)
      return fail("input '" + Twine(info.name) + "' expects " +
                  (wantsFloat ? "floating point" : "integer") +
                  " elements, but got " + weights::nameOf(tensor.type));
    if (wantsFloat) {
      std::vector<float> values(tensor.elements());
      weights::readAsF32(tensor, 0, values);
      tensor = weights::Tensor::fromF32(tensor.shape, values);
    } else {
      std::vector<int64_t> values(tensor.elements());
      weights::readAsI64(tensor, 0, values);
      tensor = weights::Tensor::fromI64(tensor.shape, values);
    }
  }
  return Error::success();
}

Expected<TensorMap> attn::tool::randomInputs(const Engine &engine,
                                             ArrayRef<int64_t> dims,
                                             uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  TensorMap inputs;
  const attn_program &program = engine.program();
  for (const attn_tensor_info &info :
       ArrayRef(program.inputs, program.input_count)) {
    std::vector<int64_t> shape = engine.shapeOf(info, dims);
    std::optional<uint64_t> count = weights::elementCount(shape);
    if (!count || *count > (uint64_t(1) << 32))
      return fail("input '" + Twine(info.name) + "' is too large");
    if (info.dtype == ATTN_F32) {
      std::vector<float> values(*count);
      for (float &value : values)
        value = normal(random);
      inputs.emplace(info.name, weights::Tensor::fromF32(shape, values));
    } else {
      // Without a bound an integer input is a mask: all kept.
      std::vector<int64_t> values(*count, 1);
      if (info.bound > 0)
        for (int64_t &value : values)
          value = random() % static_cast<uint64_t>(info.bound);
      inputs.emplace(info.name, weights::Tensor::fromI64(shape, values));
    }
  }
  return inputs;
}

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
    largest = std::max(largest, std::abs(value));
  }
  os << format("  mean |x| %.6g  max |x| %.6g",
               values.empty() ? 0.0 : sum / values.size(), largest);
}

void attn::tool::printTensors(const TensorMap &tensors, bool json,
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
      out.attributeObject(name, [&, &tensor = tensor] {
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
