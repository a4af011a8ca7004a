// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads prompts from the command line or from tensors.

#include "tools/attnc/commands/Prompts.h"

#include "frontend/weights/InputBinding.h"
#include "frontend/weights/Message.h"
#include "frontend/weights/TensorFiles.h"
#include "tools/attnc/commands/Sizes.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

class PromptReader {
public:
  PromptReader(const CommandLine &line, const attn_program &program,
               const hf::GenerationConfig &ids)
      : line(line), program(program), ids(ids),
        encoder(program.part_count ? program.parts[0] : nullptr) {}

  Expected<std::vector<Prompt>> read();

private:
  Expected<weights::TensorTable> readTable();
  Error checkNames(const weights::TensorTable &table);
  Expected<Prompt> readRow(const weights::TensorTable &table, int64_t row);
  Error bindSource(const weights::TensorTable &row, Prompt &prompt);
  Error addDecoderTokens(std::vector<Prompt> &prompts);
  std::vector<StringRef> inputNames() const;
  StringRef tokensName() const;

  const CommandLine &line;
  const attn_program &program;
  const hf::GenerationConfig &ids;
  const attn_program *encoder; ///< null for a decoder alone
};

constexpr StringLiteral kMask = "attention_mask";

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

std::vector<int64_t> integersOf(const weights::Tensor &tensor) {
  std::vector<int64_t> values(tensor.elements());
  weights::readAsI64(tensor, 0, values);
  return values;
}

/// Row `row` of a tensor, as a tensor of one row.
weights::Tensor rowOf(const weights::Tensor &tensor, int64_t row) {
  weights::Tensor result = tensor;
  size_t bytes = tensor.bytes.size() / tensor.shape[0];
  result.shape[0] = 1;
  result.bytes = tensor.bytes.slice(row * bytes, bytes);
  return result;
}

} // namespace

StringRef PromptReader::tokensName() const {
  for (const attn_tensor_info &info : inputsOf(program))
    if (info.role == ATTN_ROLE_TOKENS)
      return info.name;
  return "";
}

/// What a prompt gives: the tokens, or all that the encoder reads.
std::vector<StringRef> PromptReader::inputNames() const {
  if (!encoder)
    return {tokensName()};
  std::vector<StringRef> names;
  for (const attn_tensor_info &info : inputsOf(*encoder))
    if (info.role == ATTN_ROLE_NONE)
      names.push_back(info.name);
  return names;
}

Expected<weights::TensorTable> PromptReader::readTable() {
  auto table = weights::readTensorFiles(line.values(OPT_inputs));
  if (!table)
    return table.takeError();
  if (Error error = checkNames(*table))
    return std::move(error);
  return table;
}

Error PromptReader::checkNames(const weights::TensorTable &table) {
  std::vector<StringRef> expected = inputNames();
  for (StringRef name : table.names()) {
    if (is_contained(expected, name) || name == kMask)
      continue;
    if (!encoder || name != tokensName())
      return fail(table.fileOf(name) + ": tensor " + weights::quoted(name) +
                  " is no input of generation; expects " +
                  join(expected, ", ") + " and, if need be, " + kMask);
    WithColor::note(errs(), "attnc")
        << "'" << name
        << "' is not read: --decoder-ids says what the decoder begins with\n";
  }
  int64_t rows = -1;
  for (StringRef name : expected) {
    const weights::Tensor *tensor = table.find(name);
    if (!tensor)
      return fail(table.origin() + ": tensor " + weights::quoted(name) +
                  " is missing");
    if (tensor->shape.size() < 2 || tensor->shape[0] < 1)
      return fail(table.fileOf(name) + ": tensor " + weights::quoted(name) +
                  " expects a row for each prompt, but has shape " +
                  weights::shapeText(tensor->shape));
    if (rows >= 0 && rows != tensor->shape[0])
      return fail(table.fileOf(name) + ": tensor " + weights::quoted(name) +
                  " has " + Twine(tensor->shape[0]) + " rows, but " +
                  expected.front() + " has " + Twine(rows));
    rows = tensor->shape[0];
  }
  const weights::Tensor *mask = table.find(kMask);
  if (mask && (weights::isFloatingPoint(mask->type) ||
               mask->shape != table.find(expected.front())->shape))
    return fail(table.fileOf(kMask) + ": tensor '" + kMask +
                "' expects integers of shape " +
                weights::shapeText(table.find(expected.front())->shape) +
                ", as " + expected.front() + " has");
  return Error::success();
}

Error PromptReader::bindSource(const weights::TensorTable &row,
                               Prompt &prompt) {
  std::vector<weights::DynamicDim> dims;
  for (uint32_t d = 0; d < encoder->dim_count; ++d)
    dims.push_back(
        {encoder->dims[d].name, encoder->dims[d].min, encoder->dims[d].max});
  std::vector<weights::InputSpec> specs;
  for (const attn_tensor_info &info : inputsOf(*encoder))
    if (info.role == ATTN_ROLE_NONE)
      specs.push_back(
          {info.name,
           info.dtype == ATTN_F32 ? weights::DataType::F32
                                  : weights::DataType::I64,
           SmallVector<int64_t, 4>(ArrayRef<int64_t>(info.shape, info.rank))});
  auto bound = weights::bindInputs(specs, dims, row);
  if (!bound)
    return bound.takeError();
  prompt.source = std::move(bound->tensors);
  // Those that no input of the source has are pages.
  for (int64_t size : bound->dims)
    if (size >= 0)
      prompt.sourceDims.push_back(size);
  return Error::success();
}

Expected<Prompt> PromptReader::readRow(const weights::TensorTable &table,
                                       int64_t row) {
  weights::TensorTable one(table.origin());
  for (StringRef name : inputNames()) {
    weights::Tensor values = rowOf(*table.find(name), row);
    const weights::Tensor *mask = table.find(kMask);
    if (mask && !weights::isFloatingPoint(values.type)) {
      std::vector<int64_t> all = integersOf(values), kept,
                           keep = integersOf(rowOf(*mask, row));
      for (auto [i, value] : enumerate(all))
        if (keep[i])
          kept.push_back(value);
      bool atEnd = is_sorted(
          keep, [](int64_t a, int64_t b) { return (a != 0) > (b != 0); });
      if (encoder && !atEnd)
        return fail(table.fileOf(kMask) + ": row " + Twine(row) +
                    " of tensor '" + kMask +
                    "' expects ones, then zeros: an encoder's positions count "
                    "from the first");
      values = weights::Tensor::fromI64({1, int64_t(kept.size())}, kept);
    }
    one.insert(name, values);
  }
  Prompt prompt;
  if (encoder) {
    if (Error error = bindSource(one, prompt))
      return std::move(error);
    return prompt;
  }
  const weights::Tensor *tokens = one.find(tokensName());
  if (weights::isFloatingPoint(tokens->type))
    return fail(table.fileOf(tokensName()) + ": tensor " +
                weights::quoted(tokensName()) + " expects integers, but has " +
                weights::nameOf(tokens->type));
  prompt.tokens = integersOf(*tokens);
  if (prompt.tokens.empty())
    return fail(table.origin() + ": prompt " + Twine(row) + " has no tokens");
  return prompt;
}

Error PromptReader::addDecoderTokens(std::vector<Prompt> &prompts) {
  auto given = line.idLists(OPT_decoder_ids);
  if (!given)
    return given.takeError();
  if (!given->empty() && !encoder)
    return make_error<UsageError>("--decoder-ids goes with encoder-decoders; "
                                  "--ids is the prompt of this model");
  if (given->size() > 1 && given->size() != prompts.size())
    return make_error<UsageError>("--decoder-ids expects one beginning for all "
                                  "prompts or one for each of the " +
                                  Twine(prompts.size()) + ", but got " +
                                  Twine(given->size()));
  if (!encoder)
    return Error::success();
  if (given->empty() && !ids.decoderStart)
    return make_error<UsageError>(
        "the model does not say what its decoder begins with "
        "(decoder_start_token_id); give it with --decoder-ids");
  for (auto [i, prompt] : enumerate(prompts)) {
    if (!given->empty()) {
      prompt.tokens = (*given)[given->size() > 1 ? i : 0];
      continue;
    }
    prompt.tokens = {*ids.decoderStart};
    prompt.forced = ids.forcedBegin.has_value();
    if (ids.forcedBegin)
      prompt.tokens.push_back(*ids.forcedBegin);
  }
  return Error::success();
}

Expected<std::vector<Prompt>> PromptReader::read() {
  auto lists = line.idLists(OPT_ids);
  if (!lists)
    return lists.takeError();
  std::vector<Prompt> prompts;
  if (line.has(OPT_inputs)) {
    auto table = readTable();
    if (!table)
      return table.takeError();
    int64_t rows = table->find(inputNames().front())->shape[0];
    for (int64_t row = 0; row < rows; ++row) {
      auto prompt = readRow(*table, row);
      if (!prompt)
        return prompt.takeError();
      prompts.push_back(std::move(*prompt));
    }
  }
  if (encoder && !lists->empty() && inputNames().size() != 1)
    return make_error<UsageError>("the model encodes " +
                                  join(inputNames(), ", ") +
                                  "; give them with --inputs");
  for (const std::vector<int64_t> &list : *lists) {
    Prompt prompt;
    weights::TensorTable row("--ids");
    row.insert(inputNames().front(),
               weights::Tensor::fromI64({1, int64_t(list.size())}, list));
    if (!encoder)
      prompt.tokens = list;
    else if (Error error = bindSource(row, prompt))
      return std::move(error);
    if (list.empty())
      return make_error<UsageError>("--ids expects at least one token");
    prompts.push_back(std::move(prompt));
  }
  if (Error error = addDecoderTokens(prompts))
    return std::move(error);
  return prompts;
}

Expected<std::vector<Prompt>>
attn::tool::readPrompts(const CommandLine &line, const attn_program &program,
                        const hf::GenerationConfig &ids) {
  return PromptReader(line, program, ids).read();
}

attn_request attn::tool::requestFor(const Prompt &prompt,
                                    std::vector<const void *> &sources) {
  sources.clear();
  for (const weights::Tensor &tensor : prompt.source)
    sources.push_back(tensor.bytes.data());
  attn_request request{};
  request.prompt = prompt.tokens.data();
  request.prompt_count = prompt.tokens.size();
  request.source = sources.data();
  request.source_dims = prompt.sourceDims.data();
  return request;
}
