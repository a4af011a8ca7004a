// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// config.json of a Hugging Face model.

#include "frontend/huggingface/Config.h"

#include "frontend/weights/Message.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using attn::weights::fileError;
using attn::weights::quoted;

namespace attn::hf {

Error Config::errorAt(StringRef key, const Twine &message) const {
  return fileError(document.where(key), message);
}

std::function<std::string(StringRef)> Config::places() const {
  return [places = document](StringRef key) { return places.where(key); };
}

// The file's text under a key, "" where it has none or null.
static Error readText(const Config &config, StringRef key,
                      std::string &result) {
  const json::Value *value = config.values.get(key);
  if (!value || value->kind() == json::Value::Null)
    return Error::success();
  auto text = value->getAsString();
  if (!text)
    return config.errorAt(key, "expects '" + key + "' to be text");
  result = text->str();
  return Error::success();
}

static Error readArchitectures(Config &config) {
  const json::Value *value = config.values.get("architectures");
  if (!value || value->kind() == json::Value::Null)
    return Error::success();
  auto wrong = [&] {
    return config.errorAt("architectures",
                          "expects 'architectures' to be a list of names");
  };
  const json::Array *array = value->getAsArray();
  if (!array)
    return wrong();
  for (const json::Value &element : *array) {
    auto name = element.getAsString();
    if (!name)
      return wrong();
    config.architectures.push_back(name->str());
  }
  return Error::success();
}

// id2label maps "0", "1", ... to text, in any order.
static Error readLabels(Config &config) {
  const json::Value *value = config.values.get("id2label");
  if (!value || value->kind() == json::Value::Null)
    return Error::success();
  const json::Object *object = value->getAsObject();
  if (!object)
    return config.errorAt("id2label",
                          "expects 'id2label' to map numbers to names");
  config.labels.resize(object->size());
  std::vector<bool> seen(object->size());
  for (const auto &[key, label] : *object) {
    uint64_t id;
    if (StringRef(key).getAsInteger(10, id) || id >= seen.size() || seen[id])
      return config.errorAt(
          "id2label", "expects 'id2label' to number its " + Twine(seen.size()) +
                          " labels from 0 to " + Twine(seen.size() - 1) +
                          ", but got " + quoted(key));
    auto text = label.getAsString();
    if (!text)
      return config.errorAt("id2label", "expects label " + Twine(id) +
                                            " of 'id2label' to be text");
    seen[id] = true;
    config.labels[id] = text->str();
  }
  return Error::success();
}

// transformers leaves num_labels out of files that have id2label.
static Error bindNumLabels(Config &config) {
  if (config.labels.empty())
    return Error::success();
  int64_t count = config.labels.size();
  const json::Value *stated = config.values.get("num_labels");
  if (!stated) {
    config.values["num_labels"] = count;
    return Error::success();
  }
  if (stated->getAsInteger() != count)
    return config.errorAt("num_labels",
                          "expects 'num_labels' to be " + Twine(count) +
                              ", the number of labels in 'id2label'");
  return Error::success();
}

static Expected<Config> makeConfig(weights::JsonDocument document) {
  Config config;
  config.document = std::move(document);
  const json::Object *object = config.document.root.getAsObject();
  if (!object)
    return fileError(config.path(), "expects a JSON object");
  config.values = *object;
  if (Error error = readText(config, "model_type", config.modelType))
    return std::move(error);
  for (auto read : {readArchitectures, readLabels, bindNumLabels})
    if (Error error = read(config))
      return std::move(error);
  return config;
}

Expected<Config> readConfig(StringRef path) {
  auto document = weights::readJson(path);
  if (!document)
    return document.takeError();
  return makeConfig(std::move(*document));
}

Expected<Config> parseConfig(StringRef text, StringRef path) {
  auto document = weights::parseJson(text, path);
  if (!document)
    return document.takeError();
  return makeConfig(std::move(*document));
}

Expected<std::string> chooseDescription(const Config &config,
                                        ArrayRef<std::string> known) {
  if (is_contained(known, config.modelType))
    return config.modelType;
  std::vector<std::string> sorted(known);
  llvm::sort(sorted);
  std::string list = join(sorted, ", ");
  if (config.modelType.empty())
    return fileError(config.path(),
                     "expects a 'model_type' (one of " + list +
                         "); for another model give a description of its own");
  return config.errorAt(
      "model_type", "expects 'model_type' to be one of " + list + ", but got " +
                        quoted(config.modelType) +
                        "; for another model give a description of its own");
}

} // namespace attn::hf
