// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inputs and outputs of a run: files by name, binding to what a model takes.

#include "TestFiles.h"

#include "frontend/weights/InputBinding.h"
#include "frontend/weights/Npy.h"
#include "frontend/weights/TensorFiles.h"

using namespace attn::weights;
using namespace attn::test;
using namespace llvm;

namespace {

//===--- Files ------------------------------------------------------------===//

class TensorFiles : public FolderTest {};

TEST_F(TensorFiles, ReadsSafetensorsAndNumPyFilesTogether) {
  std::string many = put("a=b.safetensors", oneTensor("x"));
  ASSERT_FALSE(errorToBool(writeNpy(at("ids.npy"), Tensor::fromI64({1}, {7}))));
  TensorTable table =
      valueOf(readTensorFiles({many, "input_ids=" + at("ids.npy")}));
  EXPECT_EQ(table.names(), (std::vector<StringRef>{"input_ids", "x"}));
  EXPECT_EQ(table.origin(), "inputs");
  EXPECT_EQ(valueOf(readTensorFiles({many})).origin(), many);
}

TEST_F(TensorFiles, RefusesNamesThatAreMissingOrGivenTwice) {
  std::string file = put("a.safetensors", oneTensor("x"));
  EXPECT_EQ(errorOf(readTensorFiles({file, file})),
            file + ": tensor 'x': is given twice");
  EXPECT_EQ(errorOf(readTensorFiles({"ids.npy"})),
            "expects FILE.safetensors or NAME=FILE.npy, but got 'ids.npy'");
  EXPECT_EQ(errorOf(readTensorFiles({"=ids.npy"})),
            "expects FILE.safetensors or NAME=FILE.npy, but got '=ids.npy'");
}

TEST_F(TensorFiles, WritesToEveryItem) {
  std::vector<NamedTensor> outputs = {{"a", Tensor::fromF32({1}, {1.0f})},
                                      {"b", Tensor::fromF32({1}, {2.0f})}};
  ASSERT_FALSE(errorToBool(
      writeTensorFiles({at("all.safetensors"), "b=" + at("b.npy")}, outputs)));
  EXPECT_EQ(valueOf(openSafetensors(at("all.safetensors"))).size(), 2u);
  EXPECT_EQ(valueOf(readNpy(at("b.npy"))).bytes, outputs[1].tensor.bytes);
}

TEST_F(TensorFiles, WritesNothingWhereAnItemIsWrong) {
  std::vector<NamedTensor> outputs = {{"a", Tensor::fromF32({1}, {1.0f})}};
  EXPECT_EQ(toString(writeTensorFiles(
                {at("all.safetensors"), "c=" + at("c.npy")}, outputs)),
            at("c.npy") + ": tensor 'c': expects the name of an output");
  EXPECT_FALSE(sys::fs::exists(at("all.safetensors")));
}

//===--- Binding ----------------------------------------------------------===//

const DynamicDim dims[] = {{"batch", 1, 8}, {"sequence", 1, 512}};
const InputSpec ids{"input_ids", DataType::I64, {-1, -2}};
const InputSpec mask{"attention_mask", DataType::I64, {-1, -2}};
const InputSpec pixels{"pixel_values", DataType::F32, {-1, 3}};

TEST(BindInputs, ConvertsAndDerivesDimensions) {
  TensorTable table("in");
  uint8_t bytes[] = {1, 2, 3, 4, 5, 6};
  uint8_t halves[] = {0x00, 0x3c, 0x00, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0};
  table.insert("input_ids", {DataType::U8, {2, 3}, bytes, nullptr});
  table.insert("pixel_values", {DataType::F16, {2, 3}, halves, nullptr});
  BoundInputs bound = valueOf(bindInputs({ids, pixels}, dims, table));
  EXPECT_EQ(bound.dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(bound.tensors[0].bytes,
            Tensor::fromI64({2, 3}, {1, 2, 3, 4, 5, 6}).bytes);
  EXPECT_EQ(bound.tensors[1].bytes,
            Tensor::fromF32({2, 3}, {1, -2, 0, 0, 0, 0}).bytes);
}

TEST(BindInputs, CopiesOnlyWhereItMust) {
  alignas(4) uint8_t memory[3 * 4 + 1] = {};
  for (int offset : {0, 1}) {
    TensorTable table("in");
    ArrayRef<uint8_t> bytes(memory + offset, 12);
    table.insert("pixel_values", {DataType::F32, {1, 3}, bytes, nullptr});
    BoundInputs bound = valueOf(bindInputs({pixels}, dims, table));
    EXPECT_EQ(bound.tensors[0].bytes.data() == bytes.data(), offset == 0);
    EXPECT_EQ(bound.dims, (std::vector<int64_t>{1, -1}));
  }
}

TEST(BindInputs, ReportsEveryFaultAtOnce) {
  TensorTable table("in");
  table.insert("input_ids", Tensor::fromI64({2, 3}, std::vector<int64_t>(6)));
  table.insert("attention_mask",
               Tensor::fromI64({2, 4}, std::vector<int64_t>(8)));
  table.insert("pixel_values", Tensor::fromF32({2, 2}, {0, 0, 0, 0}));
  table.insert("labels", Tensor::fromI64({1}, {0}));
  InputSpec types{"token_type_ids", DataType::I64, {-1, -2}};
  EXPECT_EQ(errorOf(bindInputs({ids, mask, pixels, types}, dims, table)),
            "in: expects the inputs of the model, but some differ\n"
            "  tensor 'attention_mask': expects sequence to be 3 as in "
            "'input_ids', but got 4\n"
            "  tensor 'pixel_values': expects [batch, 3], but got [2, 2]\n"
            "  tensor 'token_type_ids': expects I64 [batch, sequence], but it "
            "is missing\n"
            "  tensor 'labels': is no input of the model");
}

TEST(BindInputs, RefusesOtherRanksSizesAndTypes) {
  auto refusal = [](const InputSpec &input, Tensor tensor) {
    TensorTable table("in");
    table.insert(input.name, std::move(tensor));
    return StringRef(errorOf(bindInputs({input}, dims, table)))
        .split("': ")
        .second.str();
  };
  EXPECT_EQ(refusal(ids, Tensor::fromI64({3}, {1, 2, 3})),
            "expects [batch, sequence], but got [3]");
  EXPECT_EQ(refusal(ids, Tensor::fromI64({0, 3}, {})),
            "expects batch from 1 to 8, but got 0");
  EXPECT_EQ(refusal(ids, Tensor::fromI64({9, 1}, std::vector<int64_t>(9))),
            "expects batch from 1 to 8, but got 9");
  EXPECT_EQ(refusal(ids, Tensor::fromF32({1, 1}, {1})),
            "expects I64 or other integers, but got F32");
  EXPECT_EQ(refusal(pixels, Tensor::fromI64({1, 3}, {1, 2, 3})),
            "expects F32 or other floating point numbers, but got I64");
  uint8_t wide[8] = {};
  EXPECT_EQ(refusal(ids, {DataType::U64, {1, 1}, wide, nullptr}),
            "expects I64 or other integers, but got U64");
}

} // namespace
