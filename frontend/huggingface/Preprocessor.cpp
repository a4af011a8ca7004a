// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// preprocessor_config.json: how a vision model wants its pictures.

#include "frontend/huggingface/Preprocessor.h"

#include "frontend/weights/Json.h"
#include "frontend/weights/Message.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <array>
#include <cmath>
#include <optional>

using namespace llvm;
using attn::weights::fileError;
using attn::weights::quoted;

namespace attn::hf {
namespace {

/// The defaults of a class of image processors in transformers 5.
struct ProcessorClass {
  StringLiteral stem; ///< Of ViTImageProcessor, ViTFeatureExtractor, ...
  StringLiteral modelType;
  int resample;
  int size;
  bool square;  ///< What a bare number as 'size' means.
  int cropSize; ///< 0: no centre crop.
  std::array<float, 3> mean, std;
};

constexpr std::array<float, 3> half = {0.5f, 0.5f, 0.5f};
constexpr std::array<float, 3> clipMean = {0.48145466f, 0.4578275f,
                                           0.40821073f};
constexpr std::array<float, 3> clipStd = {0.26862954f, 0.26130258f,
                                          0.27577711f};

constexpr ProcessorClass processorClasses[] = {
    {"CLIP", "clip", ATTN_RESAMPLE_BICUBIC, 224, false, 224, clipMean, clipStd},
    {"DeiT", "deit", ATTN_RESAMPLE_BICUBIC, 256, true, 224, half, half},
    {"ViT", "vit", ATTN_RESAMPLE_BILINEAR, 224, true, 0, half, half},
};

/// The largest side that attn_image resizes to.
constexpr int64_t largestSide = 1 << 20;

class Reader {
public:
  Reader(const weights::JsonDocument &document, const json::Object &object,
         int channels)
      : document(document), object(object), channels(channels) {}

  Expected<attn_image_transform> read(StringRef modelType);

private:
  Error errorAt(StringRef key, const Twine &message) const {
    return fileError(document.where(key), message);
  }
  Error expects(StringRef key, const Twine &what) const {
    return errorAt(key, "expects '" + key + "' to be " + what + ", but got " +
                            quoted(formatv("{0}", *object.get(key)).str()));
  }

  /// The value under a key, null where the file has none or null.
  const json::Value *get(StringRef key) const {
    const json::Value *value = object.get(key);
    return value && value->kind() != json::Value::Null ? value : nullptr;
  }

  Error chooseClass(StringRef modelType);
  Error refuseUnknownSteps() const;
  Error readFlag(StringRef key, bool &flag) const;
  Error readSide(StringRef key, const json::Value *value, StringRef name,
                 int32_t &side) const;
  Error readResize(attn_image_transform &transform) const;
  Error readResample(attn_image_transform &transform) const;
  Error readCrop(attn_image_transform &transform) const;
  Error readRescale(attn_image_transform &transform) const;
  Error readChannelValues(StringRef key, ArrayRef<float> fallback,
                          float *values) const;
  Error readNormalise(attn_image_transform &transform) const;
  Error readColour() const;

  const weights::JsonDocument &document;
  const json::Object &object;
  int channels;
  const ProcessorClass *kind = nullptr;
};

Error Reader::chooseClass(StringRef modelType) {
  StringRef key = get("image_processor_type") ? "image_processor_type"
                                              : "feature_extractor_type";
  std::string known = join(map_range(processorClasses,
                                     [](const ProcessorClass &c) {
                                       return (c.stem + "ImageProcessor").str();
                                     }),
                           ", ");
  const json::Value *value = get(key);
  if (!value) {
    kind = find_if(processorClasses, [&](const ProcessorClass &c) {
      return c.modelType == modelType;
    });
    if (kind == std::end(processorClasses))
      return fileError(document.path,
                       "expects 'image_processor_type' (one of " + known +
                           "), since models of type " + quoted(modelType) +
                           " have no default");
    return Error::success();
  }
  StringRef stem = value->getAsString().value_or("");
  for (StringRef suffix :
       {"ImageProcessorFast", "ImageProcessor", "FeatureExtractor"})
    if (stem.consume_back(suffix))
      break;
  kind = find_if(processorClasses,
                 [&](const ProcessorClass &c) { return c.stem == stem; });
  if (kind == std::end(processorClasses))
    return expects(key, "one of " + known);
  return Error::success();
}

/// Steps of other processors that the pictures would need.
Error Reader::refuseUnknownSteps() const {
  constexpr StringLiteral known[] = {"do_resize", "do_center_crop",
                                     "do_rescale", "do_normalize",
                                     "do_convert_rgb"};
  for (const auto &[key, value] : object) {
    StringRef name = key;
    if (name.starts_with("do_") && !is_contained(known, name) &&
        value.getAsBoolean().value_or(false))
      return errorAt(name, "the step " + quoted(name) + " is not supported");
  }
  return Error::success();
}

Error Reader::readFlag(StringRef key, bool &flag) const {
  const json::Value *value = get(key);
  if (!value)
    return Error::success();
  std::optional<bool> given = value->getAsBoolean();
  if (!given)
    return expects(key, "true or false");
  flag = *given;
  return Error::success();
}

Error Reader::readSide(StringRef key, const json::Value *value, StringRef name,
                       int32_t &side) const {
  std::optional<int64_t> given =
      value ? value->getAsInteger() : std::optional<int64_t>();
  if (!given || *given < 1 || *given > largestSide)
    return expects(key, name + " from 1 to " + Twine(largestSide));
  side = static_cast<int32_t>(*given);
  return Error::success();
}

Error Reader::readResize(attn_image_transform &transform) const {
  bool resize = true, square = kind->square;
  if (Error error = readFlag("do_resize", resize))
    return error;
  if (Error error = readFlag("default_to_square", square))
    return error;
  if (!resize)
    return Error::success();
  const json::Value *size = get("size");
  auto resizeOf = [](bool square) {
    return square ? ATTN_RESIZE_EXACT : ATTN_RESIZE_SHORTEST_EDGE;
  };
  transform.resize = resizeOf(kind->square);
  transform.resize_width = transform.resize_height = kind->size;
  if (!size)
    return Error::success();
  const json::Object *sides = size->getAsObject();
  if (!sides) {
    transform.resize = resizeOf(square);
    Error error =
        readSide("size", size, "a number, {height, width} or {shortest_edge}",
                 transform.resize_width);
    transform.resize_height = transform.resize_width;
    return error;
  }
  if (sides->size() == 1 && sides->get("shortest_edge")) {
    transform.resize = ATTN_RESIZE_SHORTEST_EDGE;
    Error error =
        readSide("size", sides->get("shortest_edge"),
                 "{shortest_edge} with a number", transform.resize_width);
    transform.resize_height = transform.resize_width;
    return error;
  }
  if (sides->size() != 2)
    return expects("size", "a number, {height, width} or {shortest_edge}");
  transform.resize = ATTN_RESIZE_EXACT;
  StringRef wanted = "{height, width} with numbers";
  if (Error error = readSide("size", sides->get("height"), wanted,
                             transform.resize_height))
    return error;
  return readSide("size", sides->get("width"), wanted, transform.resize_width);
}

Error Reader::readResample(attn_image_transform &transform) const {
  transform.resample = kind->resample;
  const json::Value *value = get("resample");
  if (!value)
    return Error::success();
  std::optional<int64_t> given = value->getAsInteger();
  if (!given || *given < ATTN_RESAMPLE_NEAREST ||
      *given > ATTN_RESAMPLE_HAMMING)
    return expects("resample", "a filter of Pillow: 0 (nearest), 1 (lanczos), "
                               "2 (bilinear), 3 (bicubic), 4 (box) or 5 "
                               "(hamming)");
  transform.resample = static_cast<int32_t>(*given);
  return Error::success();
}

Error Reader::readCrop(attn_image_transform &transform) const {
  bool crop = kind->cropSize != 0;
  if (Error error = readFlag("do_center_crop", crop))
    return error;
  if (!crop)
    return Error::success();
  const json::Value *size = get("crop_size");
  if (!size && kind->cropSize == 0)
    return errorAt("do_center_crop",
                   "expects 'crop_size' beside 'do_center_crop'");
  transform.crop_width = transform.crop_height = kind->cropSize;
  if (!size)
    return Error::success();
  StringRef wanted = "a number or {height, width} with numbers";
  const json::Object *sides = size->getAsObject();
  if (sides && sides->size() != 2)
    return expects("crop_size", wanted);
  if (Error error = readSide("crop_size", sides ? sides->get("height") : size,
                             wanted, transform.crop_height))
    return error;
  return readSide("crop_size", sides ? sides->get("width") : size, wanted,
                  transform.crop_width);
}

Error Reader::readRescale(attn_image_transform &transform) const {
  bool rescale = true;
  if (Error error = readFlag("do_rescale", rescale))
    return error;
  transform.rescale = rescale ? 1.0 / 255 : 1;
  const json::Value *factor = get("rescale_factor");
  if (!rescale || !factor)
    return Error::success();
  std::optional<double> given = factor->getAsNumber();
  if (!given || !std::isfinite(*given))
    return expects("rescale_factor", "a number");
  transform.rescale = *given;
  return Error::success();
}

Error Reader::readChannelValues(StringRef key, ArrayRef<float> fallback,
                                float *values) const {
  const json::Value *value = get(key);
  if (!value) {
    if (channels != 3)
      return errorAt(key, "expects '" + key + "' for " + Twine(channels) +
                              " channel: its default is for 3");
    copy(fallback, values);
    return Error::success();
  }
  const json::Array *list = value->getAsArray();
  if (list && list->size() != static_cast<size_t>(channels))
    return expects(key, "a number for each of the model's " + Twine(channels) +
                            " channels");
  for (int c = 0; c < channels; ++c) {
    std::optional<double> number = (list ? (*list)[c] : *value).getAsNumber();
    if (!number || !std::isfinite(static_cast<float>(*number)))
      return expects(key, "numbers");
    values[c] = static_cast<float>(*number);
  }
  return Error::success();
}

Error Reader::readNormalise(attn_image_transform &transform) const {
  bool normalise = true;
  std::fill(std::begin(transform.std), std::end(transform.std), 1.f);
  if (Error error = readFlag("do_normalize", normalise))
    return error;
  if (!normalise)
    return Error::success();
  if (Error error = readChannelValues("image_mean", kind->mean, transform.mean))
    return error;
  if (Error error = readChannelValues("image_std", kind->std, transform.std))
    return error;
  for (int c = 0; c < channels; ++c)
    if (transform.std[c] == 0)
      return expects("image_std", "numbers other than 0");
  return Error::success();
}

/// Pictures are converted to the model's channels; the file may only agree.
Error Reader::readColour() const {
  bool convert = false;
  if (Error error = readFlag("do_convert_rgb", convert))
    return error;
  if (convert && channels != 3)
    return errorAt("do_convert_rgb",
                   "expects 'do_convert_rgb' to be false for a model of " +
                       Twine(channels) + " channel");
  return Error::success();
}

Expected<attn_image_transform> Reader::read(StringRef modelType) {
  if (Error error = chooseClass(modelType))
    return error;
  attn_image_transform transform = {};
  transform.channels = channels;
  if (Error error = refuseUnknownSteps())
    return error;
  if (Error error = readColour())
    return error;
  for (auto step :
       {&Reader::readResize, &Reader::readResample, &Reader::readCrop,
        &Reader::readRescale, &Reader::readNormalise})
    if (Error error = (this->*step)(transform))
      return error;
  return transform;
}

} // namespace

Expected<attn_image_transform> parsePreprocessor(StringRef text, StringRef path,
                                                 int channels,
                                                 StringRef modelType) {
  if (channels != 1 && channels != 3)
    return fileError(path,
                     "pictures have 1 or 3 channels, but the model takes " +
                         Twine(channels));
  Expected<weights::JsonDocument> document = weights::parseJson(text, path);
  if (!document)
    return document.takeError();
  const json::Object *object = document->root.getAsObject();
  if (!object)
    return fileError(path, "expects an object");
  return Reader(*document, *object, channels).read(modelType);
}

} // namespace attn::hf
