// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Classifies pictures with a vision model.

#include "tools/attnc/Pictures.h"

#include "frontend/huggingface/PixelValues.h"
#include "frontend/huggingface/Preprocessor.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

static Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// The input of shape [?, channels, height, width] that pictures go into.
static Expected<const attn_tensor_info *>
pictureInput(const attn_program &program) {
  if (program.input_count == 1) {
    const attn_tensor_info &info = program.inputs[0];
    if (info.rank == 4 && info.dtype == ATTN_F32 && info.shape[0] < 0 &&
        info.shape[1] > 0 && info.shape[2] > 0 && info.shape[3] > 0)
      return &info;
  }
  return fail("the model does not take pictures: expects one input "
              "[batch, channels, height, width]");
}

static const weights::Tensor *findLogits(const TensorMap &outputs) {
  auto it = outputs.find("logits");
  return it != outputs.end() && it->second.shape.size() == 2 ? &it->second
                                                             : nullptr;
}

static void print(StringRef file, ArrayRef<hf::LabelScore> labels,
                  raw_ostream &os) {
  os << file << "\n";
  for (const hf::LabelScore &label : labels)
    os << format("  %6.2f%%  ", 100 * label.score) << label.label << "\n";
}

static void printJson(json::OStream &out, StringRef file,
                      ArrayRef<hf::LabelScore> labels) {
  out.object([&] {
    out.attribute("file", file);
    out.attributeArray("labels", [&] {
      for (const hf::LabelScore &label : labels)
        out.object([&] {
          out.attribute("id", static_cast<int64_t>(label.id));
          out.attribute("label", label.label);
          out.attribute("score", label.score);
        });
    });
  });
}

Error attn::tool::classifyPictures(const CommandLine &line,
                                   const LoadedModel &model, Engine &engine) {
  if (!model.preprocessor)
    return fail(model.preprocessorPath +
                ": is missing; it says how pictures are prepared");
  auto input = pictureInput(engine.program());
  if (!input)
    return input.takeError();
  auto top = line.integer(OPT_top, 5, 1, 1000000);
  if (!top)
    return top.takeError();
  auto transform = hf::parsePreprocessor(
      *model.preprocessor, model.preprocessorPath, (*input)->shape[1],
      model.config ? StringRef(model.config->modelType) : StringRef());
  if (!transform)
    return transform.takeError();

  json::OStream out(outs(), 2);
  bool isJson = line.has(OPT_json);
  if (isJson)
    out.arrayBegin();
  for (const std::string &file : line.values(OPT_image)) {
    auto pixels = hf::loadPixelValues({file}, *transform, (*input)->shape[2],
                                      (*input)->shape[3]);
    if (!pixels)
      return pixels.takeError();
    auto outputs = engine.run({{(*input)->name, std::move(*pixels)}});
    if (!outputs)
      return outputs.takeError();
    const weights::Tensor *logits = findLogits(*outputs);
    if (!logits)
      return fail("the model has no output 'logits' of shape [batch, labels]");
    std::vector<float> values(logits->elements());
    weights::readAsF32(*logits, 0, values);
    auto labels = hf::topLabels(
        values, model.config ? model.config->labels : std::vector<std::string>(),
        *top);
    if (isJson)
      printJson(out, file, labels);
    else
      print(file, labels, outs());
  }
  if (isJson) {
    out.arrayEnd();
    outs() << "\n";
  }
  return Error::success();
}
