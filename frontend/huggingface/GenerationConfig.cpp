// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads ids from generation_config.json and config.json.

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

private:
  ArrayRef<const weights::JsonDocument *> documents;
};
} // namespace

static Error wrong(const weights::JsonDocument &document, StringRef key) {
  return createStringError(document.where(key) + ": '" + key +
                           "' expects a token id or a list of them");
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
  for (const weights::JsonDocument *document : documents) {
    const json::Object *object = document->root.getAsObject();
    const json::Value *value = object ? object->get(key) : nullptr;
    if (!value || value->getAsNull())
      continue;
    if (const json::Array *array = value->getAsArray()) {
      for (const json::Value &element : *array)
        if (!appendId(element, ids))
          return wrong(*document, key);
    } else if (!appendId(*value, ids)) {
      return wrong(*document, key);
    }
    break;
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

  IdReader reader(documents);
  auto stop = reader.list("eos_token_id"),
       suppressed = reader.list("suppress_tokens");
  auto start = reader.one("decoder_start_token_id"),
       forced = reader.one("forced_bos_token_id"),
       padding = reader.one("pad_token_id");
  if (!stop || !suppressed || !start || !forced || !padding)
    return joinErrors(
        joinErrors(stop.takeError(), suppressed.takeError()),
        joinErrors(joinErrors(start.takeError(), forced.takeError()),
                   padding.takeError()));
  GenerationConfig result;
  result.stop = std::move(*stop);
  result.suppressed = std::move(*suppressed);
  result.decoderStart = *start;
  result.forcedBegin = *forced;
  result.padding = *padding;
  return result;
}

} // namespace attn::hf
