// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes up tokens, and what encoders read.

#include "tools/attnc/commands/RandomPrompts.h"

#include "tools/attnc/engine/RandomInputs.h"

#include <random>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

/// Bounds of --batch, and of prompts for models that have no last position.
static constexpr int64_t kMostSequences = 1024, kMostTokens = 1 << 20;

/// What encodes for the program; null where it decodes alone.
static const attn_program *encoderOf(const attn_program &program) {
  return program.part_count ? program.parts[0] : nullptr;
}

static std::vector<const attn_tensor_info *>
sourcesOf(const attn_program &encoder) {
  std::vector<const attn_tensor_info *> sources;
  for (const attn_tensor_info &info : inputsOf(encoder))
    if (info.role == ATTN_ROLE_NONE)
      sources.push_back(&info);
  return sources;
}

/// The dynamic dimensions of what is encoded, by their number, ascending.
static std::vector<uint32_t> sourceDims(const attn_program &encoder) {
  std::vector<uint32_t> dims;
  for (uint32_t d = 0; d < encoder.dim_count; ++d)
    if (any_of(sourcesOf(encoder), [&](const attn_tensor_info *info) {
          return is_contained(ArrayRef(info->shape, info->rank),
                              -1 - int64_t(d));
        }))
      dims.push_back(d);
  return dims;
}

Expected<PromptSizes> attn::tool::choosePromptSizes(const CommandLine &line,
                                                    const attn_program &program,
                                                    int64_t newTokens,
                                                    UsualSize usual) {
  int64_t longest =
      program.cache->positions ? program.cache->positions : kMostTokens;
  if (longest <= newTokens)
    return make_error<UsageError>("--generate expects fewer than the " +
                                  Twine(longest) + " positions of the model");
  std::vector<attn_dim_info> dims = {{"batch", 1, kMostSequences},
                                     {"tokens", 1, longest - newTokens}};
  PromptSizes sizes;
  if (const attn_program *encoder = encoderOf(program))
    for (uint32_t dim : sourceDims(*encoder)) {
      dims.push_back(encoder->dims[dim]);
      sizes.sourceNames.push_back(encoder->dims[dim].name);
    }
  auto chosen = chooseSizes(line, dims, usual);
  if (!chosen)
    return chosen.takeError();
  sizes.count = (*chosen)[0];
  sizes.tokens = (*chosen)[1];
  sizes.source.assign(chosen->begin() + 2, chosen->end());
  return sizes;
}

/// What an encoder reads for one prompt; its sizes are the prompt's.
static Error addSource(const attn_program &encoder, Prompt &prompt,
                       std::mt19937_64 &random) {
  std::vector<int64_t> dims(encoder.dim_count);
  for (auto [dim, size] : zip_equal(sourceDims(encoder), prompt.sourceDims))
    dims[dim] = size;
  for (const attn_tensor_info *info : sourcesOf(encoder)) {
    auto tensor = randomTensor(*info, dims, random);
    if (!tensor)
      return tensor.takeError();
    prompt.source.push_back(std::move(*tensor));
  }
  return Error::success();
}

Expected<std::vector<Prompt>>
attn::tool::randomPrompts(const attn_program &program, const PromptSizes &sizes,
                          PromptLengths lengths, uint64_t seed) {
  const attn_tensor_info *tokens =
      find_if(inputsOf(program), [](const attn_tensor_info &info) {
        return info.role == ATTN_ROLE_TOKENS;
      });
  std::mt19937_64 random(seed);
  std::vector<Prompt> prompts(sizes.count);
  for (auto [i, prompt] : enumerate(prompts)) {
    auto lengthOf = [&, i = i](int64_t most, int64_t least) {
      if (lengths == PromptLengths::Equal)
        return most;
      return std::max(least, 1 + (most - 1) * (sizes.count - int64_t(i)) /
                                     sizes.count);
    };
    for (int64_t token = lengthOf(sizes.tokens, 1); token > 0; --token)
      prompt.tokens.push_back(static_cast<int64_t>(
          random() % static_cast<uint64_t>(tokens->bound)));
    const attn_program *encoder = encoderOf(program);
    if (!encoder)
      continue;
    for (auto [dim, size] : zip_equal(sourceDims(*encoder), sizes.source))
      prompt.sourceDims.push_back(lengthOf(size, encoder->dims[dim].min));
    if (Error error = addSource(*encoder, prompt, random))
      return std::move(error);
  }
  return prompts;
}
