// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tokens are chosen from the compiled model's own logits: where two are as
// likely as each other, neither choice is an error.

#include "tools/attnc/commands/VerifyGeneration.h"

#include "attn/generate.h"
#include "dialect/AttnOps.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Sizes.h"
#include "tools/attnc/engine/ReferenceModel.h"

#include <random>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// Bounds of --batch, and of prompts for models that have no last position.
constexpr int64_t kMostSequences = 1024, kMostTokens = 1 << 20;

/// The reference is slow: more than one prompt, and few tokens.
int64_t smallSize(StringRef dim) { return dim == "batch" ? 3 : 12; }

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// A prompt and what was generated behind it.
struct Text {
  std::vector<int64_t> tokens;
  size_t prompt = 0;         ///< of its tokens
  std::vector<float> logits; ///< that each later token was chosen from
  int64_t sequence = 0;
};

struct DestroyGenerator {
  void operator()(attn_generator *generator) const {
    attn_generator_destroy(generator);
  }
};
using Generator = std::unique_ptr<attn_generator, DestroyGenerator>;

/// The tokens of a program that generates, which reads nothing besides.
Expected<const attn_tensor_info *> findTokens(const attn_program &program) {
  if (!program.cache)
    return fail("'" + Twine(program.name) + "' is no model that generates");
  if (program.part_count)
    return fail("'" + Twine(program.name) +
                "' encodes what it answers; verify compares the steps of "
                "models that only decode");
  auto inputs = ArrayRef(program.inputs, program.input_count);
  return find_if(inputs, [](const attn_tensor_info &info) {
    return info.role == ATTN_ROLE_TOKENS;
  });
}

/// Random prompts: the first has `longest` tokens, each later one fewer.
std::vector<Text> makePrompts(int64_t count, int64_t longest, int64_t bound,
                              uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Text> texts(count);
  for (auto [i, text] : enumerate(texts)) {
    text.prompt = 1 + (longest - 1) * (count - int64_t(i)) / count;
    for (size_t token = 0; token < text.prompt; ++token)
      text.tokens.push_back(
          static_cast<int64_t>(random() % static_cast<uint64_t>(bound)));
  }
  return texts;
}

attn_request requestFor(const Text &text, int64_t newTokens) {
  attn_request request{};
  request.prompt = text.tokens.data();
  request.prompt_count = text.prompt;
  request.max_new_tokens = newTokens;
  return request;
}

Expected<Generator> createGenerator(Engine &engine, ArrayRef<Text> texts,
                                    int64_t newTokens) {
  attn_generator_options options{};
  options.sequences = texts.size();
  // Less than all prompts have together: some wait for others.
  options.tokens = std::max(texts.size(), texts.front().prompt);
  options.executor = engine.pool();
  for (const Text &text : texts) {
    attn_request request = requestFor(text, newTokens);
    options.pages += attn_request_pages(&engine.program(), &request);
  }
  attn_generator *generator;
  attn_error error;
  if (attn_generator_create(&engine.program(), engine.handle(), &options,
                            &generator, &error) != ATTN_OK)
    return fail(error.message);
  return Generator(generator);
}

/// Takes what a step added to a text.
void collect(attn_generator *generator, Text &text, size_t vocabulary) {
  size_t count;
  const int64_t *tokens =
      attn_generator_tokens(generator, text.sequence, &count);
  if (count == text.tokens.size())
    return;
  text.tokens.assign(tokens, tokens + count);
  const float *logits = attn_generator_logits(generator, text.sequence);
  text.logits.insert(text.logits.end(), logits, logits + vocabulary);
}

Error generate(Engine &engine, std::vector<Text> &texts, int64_t newTokens,
               size_t vocabulary) {
  auto generator = createGenerator(engine, texts, newTokens);
  if (!generator)
    return generator.takeError();
  attn_error error;
  for (Text &text : texts) {
    attn_request request = requestFor(text, newTokens);
    if (attn_generator_add(generator->get(), &request, &text.sequence,
                           &error) != ATTN_OK)
      return fail(error.message);
  }
  for (size_t active = texts.size(); active;) {
    if (attn_generator_step(generator->get(), &active, &error) != ATTN_OK)
      return fail(error.message);
    for (Text &text : texts)
      collect(generator->get(), text, vocabulary);
  }
  return Error::success();
}

/// The reference's logits behind each token of a text but the last.
Expected<reference::Array> evaluateText(frontend::Model &model,
                                        const Text &text) {
  int64_t count = text.tokens.size() - 1;
  auto tokens =
      weights::Tensor::fromI64({1, count}, ArrayRef(text.tokens).drop_back());
  auto values = evaluateReference(model, tokens);
  if (!values)
    return values.takeError();
  auto name =
      model.function().getResultAttrOfType<mlir::StringAttr>(0, kNameAttr);
  return values->at(name.getValue().str());
}

/// The tokens of the prompt together, and those of the steps.
void compareText(const Text &text, size_t number,
                 const reference::Array &expected,
                 std::vector<Comparison> &comparisons) {
  int64_t rows = text.tokens.size() - text.prompt;
  int64_t vocabulary = expected.size() / (text.tokens.size() - 1);
  auto part = [&](const Twine &what, int64_t first, int64_t count) {
    if (count == 0)
      return;
    int64_t shape[] = {count, vocabulary};
    auto floats =
        ArrayRef(text.logits).slice(first * vocabulary, count * vocabulary);
    ArrayRef<double> all = expected.floats();
    auto wanted =
        all.slice((text.prompt - 1 + first) * vocabulary, count * vocabulary);
    comparisons.push_back(compare(
        ("prompt " + Twine(number) + what).str(), /*isLayer=*/false,
        weights::Tensor::fromF32(shape, floats),
        reference::Array::ofFloats(shape, std::vector<double>(wanted))));
  };
  part(" of " + Twine(text.prompt) + " tokens", 0, 1);
  part(", " + Twine(rows - 1) + (rows == 2 ? " step" : " steps"), 1, rows - 1);
}

} // namespace

Expected<std::vector<Comparison>>
attn::tool::verifyGeneration(const CommandLine &line, size_t threads,
                             uint64_t seed) {
  if (line.has(OPT_inputs))
    return make_error<UsageError>("--generate makes prompts of its own; it "
                                  "does not go with --inputs");
  auto newTokens = line.integer(OPT_generate, 0, 1, kMostTokens);
  auto opened = openForGeneration(line);
  if (!newTokens || !opened)
    return joinErrors(newTokens.takeError(), opened.takeError());
  frontend::Model &model = opened->model;
  CompilerOptions options;
  options.targets = opened->targets;
  options.generates = true;
  auto engine = openBesideReference(model, options, threads);
  if (!engine)
    return engine.takeError();
  const attn_program &program = (*engine)->program();
  auto tokens = findTokens(program);
  if (!tokens)
    return tokens.takeError();
  if (model.function().getNumArguments() != 1)
    return fail("'" + Twine(program.name) +
                "' reads more than tokens; verify makes prompts of tokens");
  int64_t longest =
      program.cache->positions ? program.cache->positions : kMostTokens;
  attn_dim_info dims[] = {{"batch", 1, kMostSequences}, {"tokens", 1, longest}};
  auto sizes = chooseSizes(line, dims, smallSize);
  if (!sizes)
    return sizes.takeError();
  size_t vocabulary = program.outputs[0].shape[program.outputs[0].rank - 1];
  std::vector<Text> texts =
      makePrompts((*sizes)[0], (*sizes)[1], (*tokens)->bound, seed);
  if (Error error = generate(**engine, texts, *newTokens, vocabulary))
    return std::move(error);
  std::vector<Comparison> comparisons;
  for (auto [i, text] : enumerate(texts)) {
    auto expected = evaluateText(model, text);
    if (!expected)
      return expected.takeError();
    compareText(text, i, *expected, comparisons);
  }
  return comparisons;
}
