// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Classifies pictures with a vision model.

#include "tools/attnc/commands/Pictures.h"

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

static const weights::Tensor *
findLogits(ArrayRef<weights::NamedTensor> outputs) {
  for (const auto &[name, tensor] : outputs)
    if (name == "logits" && tensor.shape.size() == 2)
      return &tensor;
  return nullptr;
}

struct Classified {
  std::string file;
  std::vector<hf::LabelScore> labels;
};

static void print(ArrayRef<Classified> pictures, raw_ostream &os) {
  for (const Classified &picture : pictures) {
    os << picture.file << "\n";
    for (const hf::LabelScore &label : picture.labels)
      os << format("  %6.2f%%  ", 100 * label.score) << label.label << "\n";
  }
}

static void printJson(ArrayRef<Classified> pictures, raw_ostream &os) {
  json::OStream out(os, 2);
  out.array([&] {
    for (const Classified &picture : pictures)
      out.object([&] {
        out.attribute("file", picture.file);
        out.attributeArray("labels", [&] {
          for (const hf::LabelScore &label : picture.labels)
            out.object([&] {
              out.attribute("id", static_cast<int64_t>(label.id));
              out.attribute("label", label.label);
              out.attribute("score", label.score);
            });
        });
      });
  });
  os << "\n";
}

Error attn::tool::classifyPictures(const CommandLine &line,
                                   const frontend::Model &model,
                                   Engine &engine) {
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

  std::vector<std::string> labels =
      model.config ? model.config->labels : std::vector<std::string>();
  std::vector<Classified> pictures;
  for (const std::string &file : line.values(OPT_image)) {
    auto pixels = hf::loadPixelValues({file}, *transform, (*input)->shape[2],
                                      (*input)->shape[3]);
    if (!pixels)
      return pixels.takeError();
    weights::TensorTable table(file);
    table.insert((*input)->name, std::move(*pixels));
    auto bound = engine.bindInputs(table);
    if (!bound)
      return bound.takeError();
    auto outputs = engine.run(*bound);
    if (!outputs)
      return outputs.takeError();
    const weights::Tensor *logits = findLogits(*outputs);
    if (!logits)
      return fail("the model has no output 'logits' of shape [batch, labels]");
    std::vector<float> values(logits->elements());
    weights::readAsF32(*logits, 0, values);
    pictures.push_back({file, hf::topLabels(values, labels, *top)});
  }
  if (line.has(OPT_json))
    printJson(pictures, outs());
  else
    print(pictures, outs());
  return Error::success();
}
