// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes up inputs that a model accepts.

#include "tools/attnc/engine/RandomInputs.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

Expected<weights::Tensor> attn::tool::randomTensor(const attn_tensor_info &info,
                                                   ArrayRef<int64_t> dims,
                                                   std::mt19937_64 &random) {
  std::vector<int64_t> shape = shapeAt(info, dims);
  std::optional<uint64_t> count = weights::elementCount(shape);
  if (!count || *count > (uint64_t(1) << 32))
    return createStringError("input '" + Twine(info.name) + "' is too large");
  if (info.dtype == ATTN_F32) {
    std::normal_distribution<float> normal;
    std::vector<float> values(*count);
    for (float &value : values)
      value = normal(random);
    return weights::Tensor::fromF32(shape, values);
  }
  // Without a bound an integer input is a mask: all kept.
  std::vector<int64_t> values(*count, 1);
  if (info.bound > 0)
    for (int64_t &value : values)
      value = random() % static_cast<uint64_t>(info.bound);
  return weights::Tensor::fromI64(shape, values);
}

Expected<weights::BoundInputs> attn::tool::randomInputs(const Engine &engine,
                                                        ArrayRef<int64_t> dims,
                                                        uint64_t seed) {
  std::mt19937_64 random(seed);
  weights::BoundInputs inputs;
  inputs.dims = dims.vec();
  const attn_program &program = engine.program();
  for (const attn_tensor_info &info :
       ArrayRef(program.inputs, program.input_count)) {
    auto tensor = randomTensor(info, dims, random);
    if (!tensor)
      return tensor.takeError();
    inputs.tensors.push_back(std::move(*tensor));
  }
  return inputs;
}
