// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads --size, --batch and --inputs against what a program takes.

#include "tools/attnc/commands/Sizes.h"

#include "frontend/weights/TensorFiles.h"
#include "tools/attnc/engine/RandomInputs.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

using NamedSizes = std::vector<std::pair<std::string, int64_t>>;

static Expected<NamedSizes> readSizes(const CommandLine &line) {
  auto sizes = line.namedSizes(OPT_size);
  auto batch = line.integer(OPT_batch, 0, 1, INT64_MAX);
  if (!sizes || !batch)
    return joinErrors(sizes.takeError(), batch.takeError());
  if (*batch && is_contained(make_first_range(*sizes), "batch"))
    return make_error<UsageError>("--batch and --size both give a size to "
                                  "'batch'");
  if (*batch)
    sizes->emplace_back("batch", *batch);
  return sizes;
}

static std::string listNames(ArrayRef<attn_dim_info> infos) {
  if (infos.empty())
    return "none";
  return join(map_range(infos,
                        [](const attn_dim_info &info) {
                          return std::string(info.name);
                        }),
              ", ");
}

Expected<std::vector<int64_t>>
attn::tool::chooseSizes(const CommandLine &line, ArrayRef<attn_dim_info> infos,
                        UsualSize usual) {
  auto given = readSizes(line);
  if (!given)
    return given.takeError();
  std::vector<int64_t> sizes;
  for (const attn_dim_info &info : infos)
    sizes.push_back(std::clamp(usual(info.name), info.min, info.max));
  for (const auto &[name, size] : *given) {
    auto info = find_if(infos, [&, &name = name](const attn_dim_info &i) {
      return name == i.name;
    });
    if (info == infos.end())
      return make_error<UsageError>("the model has no dynamic dimension '" +
                                    name + "'; it has " + listNames(infos));
    if (size < info->min || size > info->max)
      return make_error<UsageError>(
          "dimension '" + name + "' expects a size from " + Twine(info->min) +
          " to " + Twine(info->max) + ", but got " + Twine(size));
    sizes[info - infos.begin()] = size;
  }
  return sizes;
}

Expected<std::optional<weights::TensorTable>>
attn::tool::readGivenInputs(const CommandLine &line) {
  if (!line.has(OPT_inputs))
    return std::nullopt;
  if (line.has(OPT_size) || line.has(OPT_batch))
    return make_error<UsageError>("--size and --batch go with random inputs; "
                                  "those of --inputs have sizes of their own");
  auto tensors = weights::readTensorFiles(line.values(OPT_inputs));
  if (!tensors)
    return tensors.takeError();
  return std::move(*tensors);
}

Expected<weights::BoundInputs>
attn::tool::makeInputs(const CommandLine &line, const Engine &engine,
                       const std::optional<weights::TensorTable> &given,
                       uint64_t seed, UsualSize usual) {
  if (given)
    return engine.bindInputs(*given);
  auto sizes = chooseSizes(line, dimsOf(engine.program()), usual);
  if (!sizes)
    return sizes.takeError();
  return randomInputs(engine, *sizes, seed);
}

Expected<std::vector<int64_t>>
attn::tool::chooseSizes(const CommandLine &line,
                        const package::ModelInterface &model, UsualSize usual) {
  std::vector<attn_dim_info> infos;
  for (const package::DimInterface &dim : model.dims)
    infos.push_back({dim.name.c_str(), dim.min, dim.max});
  return chooseSizes(line, infos, usual);
}

Expected<weights::BoundInputs> attn::tool::bindForModel(
    const CommandLine &line, const package::ModelInterface &model,
    const std::optional<weights::TensorTable> &given, UsualSize usual) {
  if (!given) {
    auto sizes = chooseSizes(line, model, usual);
    if (!sizes)
      return sizes.takeError();
    weights::BoundInputs bound;
    bound.dims = std::move(*sizes);
    return bound;
  }
  std::vector<weights::DynamicDim> dims;
  for (const package::DimInterface &dim : model.dims)
    dims.push_back({dim.name, dim.min, dim.max});
  std::vector<weights::InputSpec> inputs;
  for (const package::TensorInterface &input : model.inputs)
    inputs.push_back({input.name,
                      input.dtype == ATTN_F32 ? weights::DataType::F32
                                              : weights::DataType::I64,
                      SmallVector<int64_t, 4>(ArrayRef(input.shape))});
  return weights::bindInputs(inputs, dims, *given);
}
