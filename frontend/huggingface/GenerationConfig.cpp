// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads generation_config.json and config.json.

#include "frontend/huggingface/GenerationConfig.h"

#include "frontend/weights/Message.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace attn::hf {

namespace {
/// The files in the order in which they are asked.
class IdReader {
public:
  explicit IdReader(ArrayRef<const weights::JsonDocument *> documents)
      : documents(documents) {}

  /// One id or a list of them; none where no file has the key.
  Expected<std::vector<int64_t>> list(StringRef key) const;
  Expected<std::optional<int64_t>> one(StringRef key) const;
  /// A number of at least 0; `fallback` where no file has the key.
  Expected<double> number(StringRef key, double fallback, bool isInteger) const;
  /// Lists of ids; those of one id, and whether there are others.
  Expected<std::vector<int64_t>> words(StringRef key, bool &longer) const;
  /// A value that is not null, and the document that has it.
  std::pair<const json::Value *, const weights::JsonDocument *>
  find(StringRef key) const;

private:
  ArrayRef<const weights::JsonDocument *> documents;
};
} // namespace

static Error wrong(const weights::JsonDocument &document, StringRef key,
                   StringRef expected = "a token id or a list of them") {
  return createStringError(document.where(key) + ": '" + key + "' expects " +
                           expected);
}

std::pair<const json::Value *, const weights::JsonDocument *>
IdReader::find(StringRef key) const {
  for (const weights::JsonDocument *document : documents) {
    const json::Object *object = document->root.getAsObject();
    const json::Value *value = object ? object->get(key) : nullptr;
    if (value && !value->getAsNull())
      return {value, document};
  }
  return {nullptr, nullptr};
}

static bool appendId(const json::Value &value, std::vector<int64_t> &ids) {
  std::optional<int64_t> id = value.getAsInteger();
  if (!id || *id < 0)
    return false;
  ids.push_back(*id);
  return true;
}

Expected<std::vector<int64_t>> IdReader::list(StringRef key) const {
  std::vector<int64_t> ids;
  auto [value, document] = find(key);
  if (!value)
    return ids;
  if (const json::Array *array = value->getAsArray()) {
    for (const json::Value &element : *array)
      if (!appendId(element, ids))
        return wrong(*document, key);
  } else if (!appendId(*value, ids)) {
    return wrong(*document, key);
  }
  return ids;
}

Expected<double> IdReader::number(StringRef key, double fallback,
                                  bool isInteger) const {
  auto [value, document] = find(key);
  if (!value)
    return fallback;
  std::optional<double> number = value->getAsNumber();
  if (!number || !(*number >= 0) || *number > INT32_MAX ||
      (isInteger && !value->getAsInteger()))
    return wrong(*document, key,
                 isInteger ? "an integer of at least 0"
                           : "a number of at least 0");
  return *number;
}

Expected<std::vector<int64_t>> IdReader::words(StringRef key,
                                               bool &longer) const {
  std::vector<int64_t> ids;
  auto [value, document] = find(key);
  const json::Array *words = value ? value->getAsArray() : nullptr;
  if (value && !words)
    return wrong(*document, key, "a list of lists of token ids");
  for (size_t w = 0; words && w < words->size(); ++w) {
    const json::Array *word = (*words)[w].getAsArray();
    if (!word || word->empty())
      return wrong(*document, key, "a list of lists of token ids");
    longer |= word->size() > 1;
    if (word->size() == 1 && !appendId(word->front(), ids))
      return wrong(*document, key, "a list of lists of token ids");
  }
  return ids;
}

Expected<std::optional<int64_t>> IdReader::one(StringRef key) const {
  auto ids = list(key);
  if (!ids)
    return ids.takeError();
  if (ids->empty())
    return std::nullopt;
  return ids->front();
}

/// What transformers obeys and attnc does not. A value of the default is no
/// news.
static std::vector<std::string> findNotRead(const IdReader &reader) {
  struct Setting {
    StringLiteral key;
    std::optional<double> usual;
    StringLiteral advice;
  };
  static constexpr Setting settings[] = {
      {"num_beams", 1, "; --beams says it"},
      {"do_sample", 0, "; --temperature, --top-k and --top-p say it"},
      {"num_beam_groups", 1, ""},
      {"penalty_alpha", 0, ""},
      {"guidance_scale", 1, ""},
      {"encoder_repetition_penalty", 1, ""},
      {"encoder_no_repeat_ngram_size", 0, ""},
      {"exponential_decay_length_penalty", std::nullopt, ""},
      {"sequence_bias", std::nullopt, ""},
      {"forced_decoder_ids", std::nullopt, "; --decoder-ids says it"},
  };
  std::vector<std::string> found;
  for (const Setting &setting : settings) {
    auto [value, document] = reader.find(setting.key);
    if (!value)
      continue;
    double number = value->getAsNumber().value_or(
        value->getAsBoolean().value_or(true) ? 1 : 0);
    if (setting.usual && number == *setting.usual &&
        (value->getAsNumber() || value->getAsBoolean()))
      continue;
    found.push_back((document->where(setting.key) + ": '" + setting.key +
                     "' is not read" + setting.advice)
                        .str());
  }
  return found;
}

static Expected<GenerationConfig> readFrom(const IdReader &reader) {
  GenerationConfig result;
  Error errors = Error::success();
  auto read = [&](auto &&value, auto &into) {
    if (value)
      into = std::move(*value);
    else
      errors = joinErrors(std::move(errors), value.takeError());
  };
  std::vector<int64_t> badWords;
  bool longer = false;
  double ngram = 0, minLength = 0, minNewTokens = 0;
  read(reader.list("eos_token_id"), result.stop);
  read(reader.list("suppress_tokens"), result.suppressed);
  read(reader.list("begin_suppress_tokens"), result.beginSuppressed);
  read(reader.words("bad_words_ids", longer), badWords);
  read(reader.one("decoder_start_token_id"), result.decoderStart);
  read(reader.one("forced_bos_token_id"), result.forcedBegin);
  read(reader.one("forced_eos_token_id"), result.forcedEnd);
  read(reader.one("pad_token_id"), result.padding);
  read(reader.number("min_length", 0, true), minLength);
  read(reader.number("min_new_tokens", 0, true), minNewTokens);
  read(reader.number("no_repeat_ngram_size", 0, true), ngram);
  read(reader.number("repetition_penalty", 1, false), result.repetitionPenalty);
  if (errors)
    return std::move(errors);
  llvm::append_range(result.suppressed, badWords);
  result.minLength = static_cast<int64_t>(minLength);
  result.minNewTokens = static_cast<int64_t>(minNewTokens);
  result.noRepeatNgram = static_cast<int64_t>(ngram);
  result.notRead = findNotRead(reader);
  if (longer)
    result.notRead.push_back(
        reader.find("bad_words_ids").second->where("bad_words_ids") +
        ": words of several tokens in 'bad_words_ids' are not read");
  return result;
}

Expected<GenerationConfig> readGenerationConfig(StringRef directory,
                                                const Config &config) {
  SmallString<256> path(directory);
  sys::path::append(path, "generation_config.json");
  std::vector<const weights::JsonDocument *> documents;
  weights::JsonDocument own;
  if (sys::fs::exists(path)) {
    auto document = weights::readJson(path);
    if (!document)
      return document.takeError();
    own = std::move(*document);
    if (!own.root.getAsObject())
      return weights::fileError(path, "expects an object");
    documents.push_back(&own);
  }
  documents.push_back(&config.document);

  return readFrom(IdReader(documents));
}

} // namespace attn::hf
