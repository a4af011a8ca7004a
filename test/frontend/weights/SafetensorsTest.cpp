// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Safetensors files: what is read, what is refused, what is written.

#include "TestFiles.h"

#include "llvm/Support/MemoryBuffer.h"

#include <sys/stat.h>

using namespace attn::weights;
using namespace attn::test;
using namespace llvm;

namespace {

class Safetensors : public FolderTest {};

TEST_F(Safetensors, ReadsTensorsOfEveryRankAndSize) {
  std::string path =
      put("a.safetensors",
          safetensors(
              R"({"__metadata__":{"format":"pt"},)"
              R"("m":{"dtype":"I64","shape":[1,2],"data_offsets":[4,20]},)"
              R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
              R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  )",
              StringRef("\0\0\xc0\x3f"
                        "\x05\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
                        20)));
  TensorTable table = valueOf(openSafetensors(path));
  EXPECT_EQ(table.names(), (std::vector<StringRef>{"m", "none", "scalar"}));
  EXPECT_EQ(table.find("other"), nullptr);
  EXPECT_EQ(table.fileOf("m"), path);
  EXPECT_EQ(table.files().size(), 1u);

  float scalar;
  readAsF32(*table.find("scalar"), 0, scalar);
  EXPECT_EQ(scalar, 1.5f);
  const Tensor *m = table.find("m"); // At an address that is no multiple of 8.
  EXPECT_EQ(ArrayRef<int64_t>(m->shape), (ArrayRef<int64_t>{1, 2}));
  int64_t values[2];
  readAsI64(*m, 0, values);
  EXPECT_EQ(values[0], 5);
  EXPECT_EQ(values[1], -1);
  EXPECT_EQ(table.find("none")->elements(), 0u);
}

TEST_F(Safetensors, TensorsOutliveTheTable) {
  Tensor tensor =
      *valueOf(openSafetensors(put("a.safetensors", oneTensor("a")))).find("a");
  float values[2];
  readAsF32(tensor, 0, values);
  EXPECT_EQ(values[1], 2.0f);
}

TEST_F(Safetensors, AcceptsAFileWithoutTensors) {
  EXPECT_EQ(valueOf(openSafetensors(put("a", safetensors("{}", "")))).size(),
            0u);
}

// Each line of damaged/messages.txt: a file and the message it is refused with.
TEST_F(Safetensors, RefusesDamagedFilesWithTheirMessages) {
  std::string corpus = ATTNC_TEST_SOURCE "/damaged";
  auto messages = MemoryBuffer::getFile(corpus + "/messages.txt");
  ASSERT_TRUE(static_cast<bool>(messages));
  SmallVector<StringRef> lines;
  (*messages)->getBuffer().split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : lines) {
    std::string path = corpus + "/" + line.split(": ").first.str();
    EXPECT_EQ(errorOf(openSafetensors(path)), corpus + "/" + line.str());
  }

  size_t files = 0;
  std::error_code code;
  for (sys::fs::directory_iterator it(corpus, code), end; it != end && !code;
       it.increment(code))
    files += StringRef(it->path()).ends_with(".safetensors");
  EXPECT_EQ(files, lines.size()) << "every file has its message";
}

TEST_F(Safetensors, RefusesWhatIsNoRegularFile) {
  EXPECT_EQ(errorOf(openSafetensors(folder)),
            folder + ": expects a regular file, but got a directory");
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(errorOf(openSafetensors(at("pipe"))),
            at("pipe") + ": expects a regular file, but got a pipe");
  EXPECT_EQ(errorOf(openSafetensors("/dev/zero")),
            "/dev/zero: expects a regular file, but got a device");
  EXPECT_EQ(errorOf(openSafetensors(at("none"))),
            at("none") + ": cannot open: No such file or directory");
}

TEST_F(Safetensors, WritesWhatItReads) {
  uint8_t odd[] = {1, 2, 3};
  Tensor bytes{DataType::U8, {3}, odd, nullptr};
  std::vector<NamedTensor> tensors = {
      {"bytes", bytes},
      {"b", Tensor::fromF32({2, 1}, {1.0f, -0.0f})},
      {"a \"quoted\"", Tensor::fromI64({}, {7})}};
  std::string path = at("out.safetensors");
  ASSERT_FALSE(errorToBool(writeSafetensors(path, tensors)));

  TensorTable table = valueOf(openSafetensors(path));
  ASSERT_EQ(table.size(), tensors.size());
  for (const NamedTensor &item : tensors) {
    const Tensor *read = table.find(item.name);
    ASSERT_NE(read, nullptr) << item.name;
    EXPECT_EQ(read->type, item.tensor.type);
    EXPECT_EQ(read->shape, item.tensor.shape);
    EXPECT_EQ(read->bytes, item.tensor.bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read->bytes.data()) %
                  bytesPerElement(read->type),
              0u);
  }
}

TEST_F(Safetensors, WritesTheSameBytesInAnyOrderOfTensors) {
  NamedTensor a{"a", Tensor::fromF32({1}, {1.0f})};
  NamedTensor b{"b", Tensor::fromF32({1}, {2.0f})};
  ASSERT_FALSE(errorToBool(writeSafetensors(at("ab"), {a, b})));
  ASSERT_FALSE(errorToBool(writeSafetensors(at("ba"), {b, a})));
  auto ab = MemoryBuffer::getFile(at("ab")),
       ba = MemoryBuffer::getFile(at("ba"));
  EXPECT_EQ((*ab)->getBuffer(), (*ba)->getBuffer());
}

TEST_F(Safetensors, LeavesNothingBehindWhereItCannotWrite) {
  NamedTensor a{"a", Tensor::fromF32({1}, {1.0f})};
  EXPECT_EQ(toString(writeSafetensors(at("out"), {a, a})),
            at("out") + ": tensor 'a': is given twice");
  EXPECT_EQ(toString(writeSafetensors(folder, {a})),
            folder + ": expects a regular file or none to write to");
  EXPECT_EQ(toString(writeSafetensors(at("none/out"), {a})),
            at("none/out") +
                ": cannot create a file beside it: No such file or directory");
  NamedTensor wrong = a;
  wrong.tensor.shape = {2};
  EXPECT_EQ(
      toString(writeSafetensors(at("out"), {wrong})),
      at("out") +
          ": tensor 'a': expects as many bytes as F32 [2] has, but got 4");
  EXPECT_EQ(toString(writeSafetensors(at("out"), {{"\xff", a.tensor}})),
            at("out") + ": tensor '\xff': expects a name in UTF-8 other than "
                        "__metadata__");
  std::error_code code;
  EXPECT_TRUE(sys::fs::directory_iterator(folder, code) ==
              sys::fs::directory_iterator());
}

TEST_F(Safetensors, ReplacesAFileWhoseNameHasPercentSigns) {
  std::string path = put("50%%", "old");
  ASSERT_FALSE(errorToBool(
      writeSafetensors(path, {{"a", Tensor::fromF32({1}, {1.0f})}})));
  EXPECT_EQ(valueOf(openSafetensors(path)).size(), 1u);
}

} // namespace
