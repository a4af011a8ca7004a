// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attnc run --generate: tokens that follow prompts.

#include "frontend/weights/TensorFiles.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/commands/ModelArguments.h"
#include "tools/attnc/commands/Prompts.h"
#include "tools/attnc/engine/Cache.h"
#include "tools/attnc/engine/Engine.h"
#include "tools/attnc/engine/Generator.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// Sequences that take part in one call of the model.
constexpr size_t kLargestBatch = 32;
/// Tokens of prompts in one call, so that memory does not grow with prompts.
constexpr size_t kLargestCall = 512;

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// How tokens are chosen, and when it ends.
struct Rules {
  attn_sampling sampling{};
  size_t newTokens = 0, minLength = 0, minNewTokens = 0, beams = 1;
  double lengthPenalty = 1;
  attn_beam_stop beamStop = ATTN_BEAM_STOP_LIKELY;
  std::vector<int64_t> stop;
  std::optional<int64_t> forcedEnd;
};

Error readBeams(const CommandLine &line, Rules &rules) {
  auto beams = line.integer(OPT_beams, 1, 1, 1024);
  auto penalty = line.number(OPT_length_penalty, 1, -100, 100);
  if (!beams || !penalty)
    return joinErrors(beams.takeError(), penalty.takeError());
  rules.beams = *beams;
  rules.lengthPenalty = *penalty;
  std::string stop = line.has(OPT_early_stopping)
                         ? line.values(OPT_early_stopping).back()
                         : "false";
  if (!is_contained({"true", "false", "never"}, StringRef(stop)))
    return make_error<UsageError>("option '--early-stopping' expects true, "
                                  "false or never, but got '" +
                                  stop + "'");
  rules.beamStop = stop == "true"    ? ATTN_BEAM_STOP_EARLY
                   : stop == "never" ? ATTN_BEAM_STOP_NEVER
                                     : ATTN_BEAM_STOP_LIKELY;
  if (rules.beams > 1 && rules.sampling.temperature != 0)
    return make_error<UsageError>("--beams draws no tokens; it does not go "
                                  "with --temperature, --top-k, --top-p or "
                                  "--seed");
  if (rules.beams == 1 &&
      (line.has(OPT_length_penalty) || line.has(OPT_early_stopping)))
    return make_error<UsageError>(
        "--length-penalty and --early-stopping go with --beams");
  return Error::success();
}

Expected<Rules> readRules(const CommandLine &line,
                          const hf::GenerationConfig &ids) {
  auto newTokens = line.integer(OPT_generate, 0, 1, INT32_MAX);
  auto seed = line.integer(OPT_seed, 0, 0, INT64_MAX);
  auto topK = line.integer(OPT_top_k, 0, 1, INT32_MAX);
  auto topP = line.number(OPT_top_p, 0, 0, 1);
  // Drawing starts with any option that only makes sense with it.
  bool draws = line.has(OPT_top_k) || line.has(OPT_top_p) || line.has(OPT_seed);
  auto temperature = line.number(OPT_temperature, draws ? 1 : 0, 0, 1e6);
  auto penalty =
      line.number(OPT_repetition_penalty, ids.repetitionPenalty, 1e-6, 1e6);
  auto stop = line.idLists(OPT_stop_ids);
  if (!newTokens || !seed || !topK || !topP || !temperature || !penalty ||
      !stop)
    return joinErrors(
        joinErrors(joinErrors(newTokens.takeError(), seed.takeError()),
                   joinErrors(topK.takeError(), topP.takeError())),
        joinErrors(joinErrors(temperature.takeError(), penalty.takeError()),
                   stop.takeError()));
  Rules rules;
  rules.newTokens = *newTokens;
  rules.sampling.seed = *seed;
  rules.sampling.top_k = *topK;
  rules.sampling.top_p = *topP;
  rules.sampling.temperature = *temperature;
  rules.sampling.repetition_penalty = *penalty;
  rules.sampling.suppressed = ids.suppressed.data();
  rules.sampling.suppressed_count = ids.suppressed.size();
  rules.sampling.begin_suppressed = ids.beginSuppressed.data();
  rules.sampling.begin_suppressed_count = ids.beginSuppressed.size();
  rules.sampling.no_repeat_ngram = ids.noRepeatNgram;
  rules.minLength = ids.minLength;
  rules.minNewTokens = ids.minNewTokens;
  rules.forcedEnd = ids.forcedEnd;
  rules.stop = stop->empty() ? ids.stop : stop->back();
  if (Error error = readBeams(line, rules))
    return std::move(error);
  return rules;
}

/// Prints ids as they come: the tokens of the first prompt that is not done
/// right away, those of later ones when it is their turn.
class Stream {
public:
  explicit Stream(size_t rows) : rows(rows), done(rows) {}

  void add(size_t row, ArrayRef<int64_t> tokens, bool last) {
    rows[row].append(tokens.begin(), tokens.end());
    done[row] = last;
    while (current < rows.size()) {
      for (; printed < rows[current].size(); ++printed)
        outs() << (printed ? " " : "") << rows[current][printed];
      if (!done[current])
        break;
      outs() << "\n";
      ++current;
      printed = 0;
    }
    outs().flush();
  }

private:
  std::vector<SmallVector<int64_t>> rows;
  std::vector<bool> done;
  size_t current = 0, printed = 0;
};

/// All prompts, as many at a time as a call holds.
class Generation {
public:
  Generation(Engine &engine, std::vector<Prompt> prompts, const Rules &rules,
             Stream *stream)
      : engine(engine), prompts(std::move(prompts)),
        sources(this->prompts.size()), rules(rules), stream(stream),
        results(this->prompts.size()) {}

  Expected<std::vector<std::vector<int64_t>>> run();

private:
  /// One prompt on its way; what a callback of the generator gets.
  struct Row {
    Generation *owner;
    size_t index;
    int64_t sequence;
    bool goesOn;
  };

  Error create();
  attn_request request(size_t index);
  Error add(size_t index);
  void finish();
  static void onToken(void *context, int64_t, int64_t token, bool last);

  Engine &engine;
  std::vector<Prompt> prompts;
  std::vector<std::vector<const void *>> sources; ///< of the prompts
  const Rules &rules;
  Stream *stream;
  std::vector<std::vector<int64_t>> results;
  Generator generator;
  size_t batch = 1; ///< prompts at a time
  std::vector<std::unique_ptr<Row>> going;
};

/// What the generator is asked for one prompt; points into it.
attn_request Generation::request(size_t index) {
  const Prompt &prompt = prompts[index];
  attn_request request = requestFor(prompt, sources[index]);
  // A forced first token counts as new.
  request.max_new_tokens = rules.newTokens - prompt.forced;
  request.stop = rules.stop.data();
  request.stop_count = rules.stop.size();
  request.sampling = rules.sampling;
  request.sampling.seed += index;
  size_t given = prompt.tokens.size() - prompt.forced;
  request.sampling.begin_at = prompt.tokens.size();
  request.sampling.ends = rules.stop.data();
  request.sampling.end_count = rules.stop.size();
  request.sampling.min_tokens =
      std::max(rules.minLength, given + rules.minNewTokens);
  if (!rules.minNewTokens)
    request.sampling.min_tokens = rules.minLength;
  if (rules.forcedEnd) {
    request.sampling.forced_at = given + rules.newTokens;
    request.sampling.forced_token = *rules.forcedEnd;
  }
  request.beams = rules.beams;
  request.length_penalty = rules.lengthPenalty;
  request.beam_stop = rules.beamStop;
  request.counted_prompt = prompt.forced;
  request.on_token = onToken;
  return request;
}

Error Generation::create() {
  attn_generator_options options{};
  batch = std::min(prompts.size(),
                   std::max<size_t>(1, kLargestBatch / rules.beams));
  options.sequences = batch * rules.beams;
  options.tokens = std::max(kLargestCall, options.sequences);
  options.executor = engine.pool();
  size_t most = 1;
  for (size_t i = 0; i < prompts.size(); ++i) {
    attn_request one = request(i);
    most = std::max(most, attn_request_pages(&engine.program(), &one));
  }
  options.pages = most * batch;
  auto created = createGenerator(engine, options);
  if (!created)
    return created.takeError();
  generator = std::move(*created);
  return Error::success();
}

void Generation::onToken(void *context, int64_t, int64_t token, bool last) {
  auto *row = static_cast<Row *>(context);
  row->goesOn = !last;
  if (row->owner->stream)
    row->owner->stream->add(row->index, token, last);
}

Error Generation::add(size_t index) {
  if (rules.newTokens <= prompts[index].forced) {
    results[index] = prompts[index].tokens;
    if (stream)
      stream->add(index, prompts[index].tokens, true);
    return Error::success();
  }
  going.push_back(std::make_unique<Row>(Row{this, index, 0, true}));
  attn_request request = this->request(index);
  request.context = going.back().get();
  attn_error error;
  if (attn_generator_add(generator.get(), &request, &going.back()->sequence,
                         &error) != ATTN_OK)
    return fail("prompt " + Twine(index) + ": " + error.message);
  if (stream)
    stream->add(index, prompts[index].tokens, false);
  return Error::success();
}

/// Takes the results of those that ended, and their places.
void Generation::finish() {
  erase_if(going, [&](const std::unique_ptr<Row> &row) {
    if (row->goesOn)
      return false;
    size_t count;
    const int64_t *tokens =
        attn_generator_tokens(generator.get(), row->sequence, &count);
    results[row->index].assign(tokens, tokens + count);
    attn_generator_drop(generator.get(), row->sequence);
    return true;
  });
}

Expected<std::vector<std::vector<int64_t>>> Generation::run() {
  if (Error error = create())
    return std::move(error);
  size_t next = 0;
  while (next < prompts.size() || !going.empty()) {
    while (next < prompts.size() && going.size() < batch)
      if (Error error = add(next++))
        return std::move(error);
    attn_error error;
    if (attn_generator_step(generator.get(), nullptr, &error) != ATTN_OK)
      return fail(error.message);
    finish();
  }
  return std::move(results);
}

/// Rows of one length, filled up with the model's padding.
weights::NamedTensor resultTensor(ArrayRef<std::vector<int64_t>> rows,
                                  const hf::GenerationConfig &ids) {
  int64_t padding = ids.padding         ? *ids.padding
                    : !ids.stop.empty() ? ids.stop.front()
                                        : 0;
  size_t longest = 0;
  for (const std::vector<int64_t> &row : rows)
    longest = std::max(longest, row.size());
  std::vector<int64_t> values;
  for (const std::vector<int64_t> &row : rows) {
    values.insert(values.end(), row.begin(), row.end());
    values.resize(values.size() + longest - row.size(), padding);
  }
  return {"generated_ids",
          weights::Tensor::fromI64({int64_t(rows.size()), int64_t(longest)},
                                   values)};
}

void printJson(ArrayRef<std::vector<int64_t>> rows, raw_ostream &os) {
  json::OStream out(os, 2);
  out.object([&] {
    out.attributeArray("generated_ids", [&] {
      for (const std::vector<int64_t> &row : rows)
        out.array([&] {
          for (int64_t id : row)
            out.value(id);
        });
    });
  });
  os << "\n";
}

Error generate(const CommandLine &line, Engine &engine,
               const hf::GenerationConfig &ids) {
  if (!engine.program().cache)
    return fail("'" + Twine(engine.program().name) +
                "' was not compiled for generation; use attnc compile "
                "--generation");
  auto rules = readRules(line, ids);
  if (!rules)
    return rules.takeError();
  auto prompts = readPrompts(line, engine.program(), ids);
  if (!prompts)
    return prompts.takeError();
  bool streams = !line.has(OPT_outputs) && !line.has(OPT_json);
  Stream stream(prompts->size());
  Generation generation(engine, std::move(*prompts), *rules,
                        streams ? &stream : nullptr);
  auto rows = generation.run();
  if (!rows)
    return rows.takeError();
  if (line.has(OPT_outputs))
    return weights::writeTensorFiles(line.values(OPT_outputs),
                                     resultTensor(*rows, ids));
  if (line.has(OPT_json))
    printJson(*rows, outs());
  return Error::success();
}

Error generateFromLibrary(const CommandLine &line, StringRef path,
                          size_t threads) {
  if (Error error = refuseModelOptions(line))
    return error;
  auto engine = Engine::open(path, threads);
  if (!engine)
    return engine.takeError();
  return generate(line, **engine, {});
}

Error generateFromModel(const CommandLine &line, StringRef path,
                        size_t threads) {
  auto opened = openForGeneration(line);
  if (!opened)
    return opened.takeError();
  hf::GenerationConfig ids;
  if (opened->model.config) {
    auto read = hf::readGenerationConfig(path, *opened->model.config);
    if (!read)
      return read.takeError();
    ids = std::move(*read);
    for (const std::string &setting : ids.notRead)
      WithColor::note(errs(), "attnc") << setting << "\n";
  }
  CompilerOptions options = opened->compilerOptions();
  options.generates = true;
  auto library = compileCached(opened->model, options);
  if (!library)
    return library.takeError();
  auto engine = Engine::open(*library, threads);
  if (!engine)
    return engine.takeError();
  return generate(line, **engine, ids);
}

} // namespace

Error attn::tool::generateCommand(const CommandLine &line) {
  auto path = line.operand("a model or a library compiled for generation");
  auto threads = readThreads(line);
  if (!path || !threads)
    return joinErrors(path.takeError(), threads.takeError());
  if (line.has(OPT_ids) == line.has(OPT_inputs) || line.has(OPT_image))
    return make_error<UsageError>(
        "'attnc run --generate' expects prompts from either --ids or --inputs");
  // What only the command line can get wrong comes before the model.
  if (auto rules = readRules(line, {}); !rules)
    return rules.takeError();
  return sys::path::extension(*path) == ".so"
             ? generateFromLibrary(line, *path, *threads)
             : generateFromModel(line, *path, *threads);
}
