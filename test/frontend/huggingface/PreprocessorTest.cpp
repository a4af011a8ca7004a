// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// preprocessor_config.json: defaults of each class, every key, and the errors.

#include "frontend/huggingface/Preprocessor.h"

#include <gtest/gtest.h>

using namespace attn;

namespace {

attn_image_transform parse(llvm::StringRef text, int channels = 3,
                           llvm::StringRef modelType = "vit") {
  auto transform = hf::parsePreprocessor(text, "p.json", channels, modelType);
  if (!transform) {
    ADD_FAILURE() << llvm::toString(transform.takeError());
    return {};
  }
  return *transform;
}

std::string parseError(llvm::StringRef text, int channels = 3,
                       llvm::StringRef modelType = "vit") {
  auto transform = hf::parsePreprocessor(text, "p.json", channels, modelType);
  return transform ? "no error" : llvm::toString(transform.takeError());
}

TEST(Preprocessor, HasTheDefaultsOfViT) {
  for (auto text :
       {R"({"image_processor_type": "ViTImageProcessor"})",
        R"({"image_processor_type": "ViTImageProcessorFast"})",
        R"({"feature_extractor_type": "ViTFeatureExtractor"})", "{}"}) {
    attn_image_transform t = parse(text);
    EXPECT_EQ(t.channels, 3);
    EXPECT_EQ(t.resize, ATTN_RESIZE_EXACT);
    EXPECT_EQ(t.resize_width, 224);
    EXPECT_EQ(t.resize_height, 224);
    EXPECT_EQ(t.resample, ATTN_RESAMPLE_BILINEAR);
    EXPECT_EQ(t.crop_width, 0);
    EXPECT_EQ(t.rescale, 1.0 / 255);
    EXPECT_EQ(t.mean[2], 0.5f);
    EXPECT_EQ(t.std[2], 0.5f);
  }
}

TEST(Preprocessor, HasTheDefaultsOfDeiT) {
  attn_image_transform t = parse("{}", 3, "deit");
  EXPECT_EQ(t.resize, ATTN_RESIZE_EXACT);
  EXPECT_EQ(t.resize_width, 256);
  EXPECT_EQ(t.resample, ATTN_RESAMPLE_BICUBIC);
  EXPECT_EQ(t.crop_width, 224);
  EXPECT_EQ(t.crop_height, 224);
}

TEST(Preprocessor, HasTheDefaultsOfClip) {
  attn_image_transform t =
      parse(R"({"image_processor_type": "CLIPImageProcessor", "size": 96})");
  EXPECT_EQ(t.resize, ATTN_RESIZE_SHORTEST_EDGE);
  EXPECT_EQ(t.resize_width, 96);
  EXPECT_EQ(t.crop_width, 224);
  EXPECT_EQ(t.mean[0], 0.48145466f);
  EXPECT_EQ(t.std[2], 0.27577711f);
}

TEST(Preprocessor, ReadsTheFileOfAGreyModel) {
  attn_image_transform t = parse(R"({
    "image_processor_type": "ViTImageProcessor", "do_resize": true, "size": {"height": 32, "width": 48},
    "resample": 3, "do_rescale": true, "rescale_factor": 0.00392156862745098,
    "do_normalize": true, "image_mean": [0.25], "image_std": [0.75], "do_convert_rgb": false})",
                                 1);
  EXPECT_EQ(t.channels, 1);
  EXPECT_EQ(t.resize_width, 48);
  EXPECT_EQ(t.resize_height, 32);
  EXPECT_EQ(t.resample, ATTN_RESAMPLE_BICUBIC);
  EXPECT_EQ(t.rescale, 0.00392156862745098);
  EXPECT_EQ(t.mean[0], 0.25f);
  EXPECT_EQ(t.std[0], 0.75f);
}

TEST(Preprocessor, LeavesOutStepsThatAreOff) {
  attn_image_transform t = parse(
      R"({"do_resize": false, "do_center_crop": false, "do_rescale": false,
    "rescale_factor": 0.5, "do_normalize": false, "image_mean": [9, 9, 9]})",
      3, "deit");
  EXPECT_EQ(t.resize, ATTN_RESIZE_NONE);
  EXPECT_EQ(t.crop_width, 0);
  EXPECT_EQ(t.rescale, 1);
  EXPECT_EQ(t.mean[0], 0);
  EXPECT_EQ(t.std[0], 1);
}

TEST(Preprocessor, ReadsEveryFormOfSize) {
  EXPECT_EQ(parse(R"({"default_to_square": false})").resize, ATTN_RESIZE_EXACT)
      << "it is about bare numbers only";
  EXPECT_EQ(parse(R"({"size": {"shortest_edge": 72}})").resize,
            ATTN_RESIZE_SHORTEST_EDGE);
  EXPECT_EQ(parse(R"({"size": 384})").resize_height, 384);
  EXPECT_EQ(parse(R"({"size": 384, "default_to_square": false})").resize,
            ATTN_RESIZE_SHORTEST_EDGE);
  attn_image_transform t = parse(
      R"({"do_center_crop": true, "crop_size": {"height": 5, "width": 7}})");
  EXPECT_EQ(t.crop_height, 5);
  EXPECT_EQ(t.crop_width, 7);
  EXPECT_EQ(parse(R"({"do_center_crop": true, "crop_size": 9})").crop_width, 9);
  EXPECT_EQ(parse(R"({"image_mean": 0.125})").mean[2], 0.125f);
}

struct BadFile {
  const char *text;
  const char *message;
  int channels = 3;
};

class Refuse : public testing::TestWithParam<BadFile> {};

TEST_P(Refuse, WithAMessage) {
  std::string error = parseError(GetParam().text, GetParam().channels);
  EXPECT_EQ(error.rfind("p.json", 0), 0u) << error;
  EXPECT_NE(error.find(GetParam().message), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(
    Preprocessor, Refuse,
    testing::Values(
        BadFile{"[]", "p.json: expects an object"}, BadFile{"{", "p.json:1:"},
        BadFile{R"({"image_processor_type": "SamImageProcessor"})",
                "expects 'image_processor_type' to be one of "
                "CLIPImageProcessor, DeiTImageProcessor, "
                "ViTImageProcessor, but got '\"SamImageProcessor\"'"},
        BadFile{R"({"image_processor_type": 3})", "but got '3'"},
        BadFile{R"({"resample": 6})",
                "p.json:1:2: expects 'resample' to be a filter of Pillow"},
        BadFile{R"({"resample": "bicubic"})", "but got '\"bicubic\"'"},
        BadFile{R"({"do_resize": 1})",
                "expects 'do_resize' to be true or false, but got '1'"},
        BadFile{R"({"size": 0})", "expects 'size' to be"},
        BadFile{R"({"size": 1e9})", "expects 'size' to be"},
        BadFile{R"({"size": {"height": 3}})", "expects 'size' to be"},
        BadFile{R"({"size": {"height": 3, "longest_edge": 4}})",
                "expects 'size' to be"},
        BadFile{R"({"size": {"shortest_edge": 3, "longest_edge": 4}})",
                "expects 'size' to be"},
        BadFile{R"({"do_center_crop": true})",
                "expects 'crop_size' beside 'do_center_crop'"},
        BadFile{R"({"do_center_crop": true, "crop_size": -1})",
                "expects 'crop_size' to be"},
        BadFile{R"({"rescale_factor": "1/255"})",
                "expects 'rescale_factor' to be a number"},
        BadFile{R"({"image_mean": [0.5]})",
                "a number for each of the model's 3 channels, but got '[0.5]'"},
        BadFile{R"({"image_std": [0.5, 0, 0.5]})", "numbers other than 0"},
        BadFile{R"({"image_std": [0.5, null, 0.5]})",
                "expects 'image_std' to be numbers"},
        BadFile{"{}",
                "expects 'image_mean' for 1 channel: its default is for 3", 1},
        BadFile{R"({"do_convert_rgb": true})",
                "to be false for a model of 1 channel", 1},
        BadFile{"{}", "the model takes 4", 4},
        BadFile{R"({"do_pad": true})", "the step 'do_pad' is not supported"}));

TEST(Preprocessor, NeedsAClassForOtherModels) {
  EXPECT_EQ(parseError("{}", 3, "swin"),
            "p.json: expects 'image_processor_type' (one of "
            "CLIPImageProcessor, DeiTImageProcessor, "
            "ViTImageProcessor), since models of type 'swin' have no default");
}

} // namespace
