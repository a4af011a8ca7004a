// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// modules.json of sentence-transformers: what follows a model to make
// embeddings of its tokens' states.

#include "frontend/huggingface/SentenceModules.h"

#include "frontend/weights/Message.h"
#include "frontend/weights/ModelWeights.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using attn::weights::fileError;
using attn::weights::JsonDocument;
using attn::weights::quoted;

namespace attn::hf {

static std::string join(StringRef directory, StringRef name) {
  SmallString<256> path(directory);
  sys::path::append(path, name);
  return path.str().str();
}

static std::string configOf(StringRef directory, StringRef module) {
  return join(join(directory, module), "config.json");
}

bool hasSentenceModules(StringRef directory) {
  return sys::fs::exists(join(directory, "modules.json"));
}

/// "Tanh" of "torch.nn.modules.activation.Tanh".
static StringRef lastName(StringRef dotted) {
  return dotted.substr(dotted.rfind('.') + 1);
}

//===--- One module -------------------------------------------------------===//

namespace {
/// What a module's config.json says.
class Settings {
public:
  static Expected<Settings> read(StringRef directory, StringRef path) {
    auto document = weights::readJson(configOf(directory, path));
    if (!document)
      return document.takeError();
    if (!document->root.getAsObject())
      return fileError(document->path, "expects a JSON object");
    return Settings(std::move(*document));
  }
  const json::Object &object() const { return *document.root.getAsObject(); }
  bool flag(StringRef key) const {
    return object().getBoolean(key).value_or(false);
  }
  Error error(StringRef key, const Twine &message) const {
    return fileError(document.where(key), message);
  }
  /// A positive number under one of two keys, the newer first.
  Expected<int64_t> size(StringRef key, StringRef older) const {
    std::optional<int64_t> value = object().getInteger(key);
    if (!value)
      value = object().getInteger(older);
    if (!value || *value < 1 || *value > (1 << 24))
      return error(key,
                   "expects '" + key + "' to be the width of an embedding");
    return *value;
  }

private:
  explicit Settings(JsonDocument document) : document(std::move(document)) {}
  JsonDocument document;
};

struct Mode {
  StringLiteral flag, name; // of older and of newer files
  bool isKnown;
};
constexpr Mode modes[] = {
    {"pooling_mode_cls_token", "cls", true},
    {"pooling_mode_max_tokens", "max", true},
    {"pooling_mode_mean_tokens", "mean", true},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", true},
    {"pooling_mode_weightedmean_tokens", "weightedmean", false},
    {"pooling_mode_lasttoken", "lasttoken", false}};
} // namespace

/// The names of a Pooling module's modes, in the order of their outputs.
static Expected<json::Array> poolingModes(const Settings &settings) {
  json::Array names;
  const json::Value *stated = settings.object().get("pooling_mode");
  if (const json::Array *list = stated ? stated->getAsArray() : nullptr)
    names = *list;
  else if (stated)
    names.push_back(*stated);
  else
    for (const Mode &mode : modes)
      if (settings.flag(mode.flag))
        names.push_back(mode.name);
  if (names.empty())
    names.push_back("mean");
  for (const json::Value &name : names) {
    std::optional<StringRef> text = name.getAsString();
    if (!text || none_of(modes, [&](const Mode &mode) {
          return mode.isKnown && mode.name == *text;
        }))
      return settings.error("pooling_mode",
                            "expects to pool by cls, max, mean or "
                            "mean_sqrt_len_tokens, but got " +
                                (text ? quoted(*text) : "another value"));
  }
  return names;
}

/// Newer modules may read and write other things than sentence embeddings.
static Error checkNames(const Settings &settings) {
  for (StringRef key : {"module_input_name", "module_output_name"}) {
    StringRef name =
        settings.object().getString(key).value_or("sentence_embedding");
    if (name != "sentence_embedding")
      return settings.error(key, "expects '" + key +
                                     "' to be \"sentence_embedding\", but "
                                     "got " +
                                     quoted(name));
  }
  return Error::success();
}

static Expected<json::Object> readPooling(const Settings &settings,
                                          int64_t &width) {
  auto names = poolingModes(settings);
  if (!names)
    return names.takeError();
  auto each = settings.size("embedding_dimension", "word_embedding_dimension");
  if (!each)
    return each.takeError();
  if (!settings.object().getBoolean("include_prompt").value_or(true))
    return settings.error("include_prompt",
                          "include_prompt: false is not supported");
  width = *each * int64_t(names->size());
  return json::Object{{"type", "Pooling"}, {"modes", std::move(*names)}};
}

static Expected<json::Object> readDense(const Settings &settings,
                                        StringRef path, int64_t &width) {
  if (Error error = checkNames(settings))
    return std::move(error);
  auto out = settings.size("out_features", "out_features");
  if (!out)
    return out.takeError();
  StringRef function = lastName(
      settings.object().getString("activation_function").value_or("Tanh"));
  StringRef known = StringSwitch<StringRef>(function)
                        .Case("Tanh", "tanh")
                        .Case("Identity", "linear")
                        .Case("ReLU", "relu")
                        .Case("GELU", "gelu")
                        .Case("Sigmoid", "sigmoid")
                        .Case("SiLU", "silu")
                        .Default("");
  if (known.empty())
    return settings.error("activation_function",
                          "expects Tanh, Identity, ReLU, GELU, Sigmoid or SiLU "
                          "as activation function, but got " +
                              quoted(function));
  width = *out;
  return json::Object{
      {"type", "Dense"},
      {"path", path.str()},
      {"width", width},
      {"bias", settings.object().getBoolean("bias").value_or(true)},
      {"activation", known}};
}

//===--- The list ---------------------------------------------------------===//

/// A module that follows the model, at `index` from 1.
static Expected<json::Object> readModule(StringRef directory,
                                         const JsonDocument &list,
                                         StringRef type, StringRef path,
                                         size_t index, int64_t &width) {
  auto wrong = [&](const Twine &expected) {
    return fileError(list.path, "expects module " + Twine(index) + " to be " +
                                    expected + ", but got " + quoted(type));
  };
  if (index == 1 && type != "Pooling")
    return wrong("a Pooling");
  if ((type != "Pooling" || index != 1) && type != "Dense" &&
      type != "Normalize")
    return wrong("a Dense or Normalize");
  if (path.empty() || sys::path::filename(path) != path || path == "..")
    return fileError(list.path, "expects module " + Twine(index) +
                                    " to have a folder of this directory as "
                                    "path, but got " +
                                    quoted(path));
  // Older Normalize modules have no settings, and no folder then.
  if (type == "Normalize" && !sys::fs::exists(configOf(directory, path)))
    return json::Object{{"type", "Normalize"}};
  auto settings = Settings::read(directory, path);
  if (!settings)
    return settings.takeError();
  if (type == "Normalize") {
    if (Error error = checkNames(*settings))
      return std::move(error);
    return json::Object{{"type", "Normalize"}};
  }
  return type == "Pooling" ? readPooling(*settings, width)
                           : readDense(*settings, path, width);
}

Error readSentenceModules(StringRef directory, Config &config) {
  auto list = weights::readJson(join(directory, "modules.json"));
  if (!list)
    return list.takeError();
  const json::Array *array = list->root.getAsArray();
  if (!array || array->size() < 2)
    return fileError(list->path,
                     "expects a list of a Transformer, a Pooling and what "
                     "follows them");
  json::Array modules;
  int64_t width = 0;
  for (auto [index, value] : enumerate(*array)) {
    const json::Object *object = value.getAsObject();
    std::optional<StringRef> type =
        object ? object->getString("type") : std::nullopt;
    std::optional<StringRef> path =
        object ? object->getString("path") : std::nullopt;
    if (!type || !path)
      return fileError(list->path, "expects module " + Twine(index) +
                                       " to have a 'type' and a 'path'");
    if (index == 0) {
      if (lastName(*type) != "Transformer" || !path->empty())
        return fileError(list->path,
                         "expects a Transformer in the directory itself as "
                         "first module, but got " +
                             quoted(*type) + " in " + quoted(*path));
      continue;
    }
    auto module =
        readModule(directory, *list, lastName(*type), *path, index, width);
    if (!module)
      return module.takeError();
    modules.push_back(std::move(*module));
  }
  config.values["sentence_modules"] = std::move(modules);
  config.values["sentence_width"] = width;
  return Error::success();
}

Error addModuleWeights(StringRef directory, const Config &config,
                       weights::TensorTable &table) {
  const json::Array *modules = config.values.getArray("sentence_modules");
  if (!modules)
    return Error::success();
  for (const json::Value &module : *modules) {
    std::optional<StringRef> path = module.getAsObject()->getString("path");
    if (!path)
      continue;
    auto dense = weights::openModelWeights(join(directory, *path));
    if (!dense)
      return dense.takeError();
    for (StringRef name : dense->names()) {
      std::shared_ptr<const weights::MappedFile> file =
          dense->files().empty() ? nullptr : dense->files().front();
      if (!table.insert((*path + "." + name).str(), *dense->find(name), file))
        return weights::tensorError(dense->origin(), name,
                                    "is also in " + table.origin());
    }
  }
  return Error::success();
}

} // namespace attn::hf
