// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tokens are chosen from the compiled model's own logits: where two are as
// likely as each other, neither choice is an error.

#include "tools/attnc/commands/VerifyGeneration.h"

#include "dialect/AttnOps.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/RandomPrompts.h"
#include "tools/attnc/engine/Generator.h"
#include "tools/attnc/engine/ReferenceModel.h"

#include <map>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

constexpr int64_t kMostTokens = 1 << 20;

/// The reference is slow: more than one prompt, and few tokens.
int64_t smallSize(StringRef dim) { return dim == "batch" ? 3 : 12; }

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// A prompt and what was generated behind it.
struct Text {
  Prompt prompt;
  std::vector<const void *> sources; ///< of the prompt
  std::vector<int64_t> tokens;       ///< the prompt's, then the new ones
  std::vector<float> logits;         ///< that each new token was chosen from
  int64_t sequence = 0;

  attn_request request(int64_t newTokens) {
    attn_request request = requestFor(prompt, sources);
    request.max_new_tokens = newTokens;
    return request;
  }
};

Expected<Generator> createGenerator(Engine &engine, std::vector<Text> &texts,
                                    int64_t newTokens) {
  attn_generator_options options{};
  options.sequences = texts.size();
  // Less than all prompts have together: some wait for others.
  options.tokens = std::max(texts.size(), texts.front().tokens.size());
  options.executor = engine.pool();
  for (Text &text : texts) {
    attn_request request = text.request(newTokens);
    options.pages += attn_request_pages(&engine.program(), &request);
  }
  return createGenerator(engine, options);
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
    attn_request request = text.request(newTokens);
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

/// What the model as it is written reads for a text: its tokens but the last,
/// and what was encoded, in the order of its arguments.
Expected<std::vector<weights::Tensor>> argumentsFor(frontend::Model &model,
                                                    const attn_program &program,
                                                    const Text &text) {
  std::map<StringRef, weights::Tensor> byName;
  for (const attn_tensor_info &info : inputsOf(program))
    if (info.role == ATTN_ROLE_TOKENS)
      byName[info.name] =
          weights::Tensor::fromI64({1, int64_t(text.tokens.size()) - 1},
                                   ArrayRef(text.tokens).drop_back());
  const weights::Tensor *source = text.prompt.source.data();
  if (program.part_count)
    for (const attn_tensor_info &info : inputsOf(*program.parts[0]))
      if (info.role == ATTN_ROLE_NONE)
        byName[info.name] = *source++;
  std::vector<weights::Tensor> inputs;
  mlir::func::FuncOp function = model.function();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto name = function.getArgAttrOfType<mlir::StringAttr>(i, kNameAttr);
    auto found = byName.find(name.getValue());
    if (found == byName.end())
      return fail("'" + Twine(program.name) + "' reads '" + name.getValue() +
                  "'; verify makes prompts of tokens and of what is encoded");
    inputs.push_back(found->second);
  }
  return inputs;
}

/// The reference's logits behind each token of a text but the last.
Expected<reference::Array> evaluateText(frontend::Model &model,
                                        const attn_program &program,
                                        const Text &text) {
  auto inputs = argumentsFor(model, program, text);
  if (!inputs)
    return inputs.takeError();
  auto values = evaluateReference(model, *inputs);
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
  int64_t given = text.prompt.tokens.size();
  int64_t rows = text.tokens.size() - given;
  int64_t vocabulary = expected.size() / (text.tokens.size() - 1);
  auto part = [&](const Twine &what, int64_t first, int64_t count) {
    if (count == 0)
      return;
    int64_t shape[] = {count, vocabulary};
    auto floats =
        ArrayRef(text.logits).slice(first * vocabulary, count * vocabulary);
    ArrayRef<double> all = expected.floats();
    auto wanted =
        all.slice((given - 1 + first) * vocabulary, count * vocabulary);
    comparisons.push_back(compare(
        ("prompt " + Twine(number) + what).str(), /*isLayer=*/false,
        weights::Tensor::fromF32(shape, floats),
        reference::Array::ofFloats(shape, std::vector<double>(wanted))));
  };
  part(" of " + Twine(given) + " tokens", 0, 1);
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
  CompilerOptions options = opened->compilerOptions();
  options.generates = true;
  auto engine = openBesideReference(model, options, threads);
  if (!engine)
    return engine.takeError();
  const attn_program &program = (*engine)->program();
  if (!program.cache)
    return fail("'" + Twine(program.name) + "' is no model that generates");
  auto sizes = choosePromptSizes(line, program, *newTokens, smallSize);
  if (!sizes)
    return sizes.takeError();
  auto prompts = randomPrompts(program, *sizes, PromptLengths::Falling, seed);
  if (!prompts)
    return prompts.takeError();
  std::vector<Text> texts;
  for (Prompt &prompt : *prompts) {
    texts.emplace_back();
    texts.back().tokens = prompt.tokens;
    texts.back().prompt = std::move(prompt);
  }
  size_t vocabulary = program.outputs[0].shape[program.outputs[0].rank - 1];
  if (Error error = generate(**engine, texts, *newTokens, vocabulary))
    return std::move(error);
  std::vector<Comparison> comparisons;
  for (auto [i, text] : enumerate(texts)) {
    auto expected = evaluateText(model, program, text);
    if (!expected)
      return expected.takeError();
    compareText(text, i, *expected, comparisons);
  }
  return comparisons;
}
