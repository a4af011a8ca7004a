// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NumPy files: what is read, what is refused, what is written.

#include "TestFiles.h"

#include "frontend/weights/Npy.h"

using namespace attn::weights;
using namespace attn::test;
using namespace llvm;

namespace {

// A file of format version 1 (or, with four bytes of length, 2).
std::string npy(StringRef header, StringRef data = "", uint8_t version = 1) {
  char length[4];
  support::endian::write32le(length, header.size());
  return "\x93NUMPY" + std::string(1, version) + std::string(1, '\0') +
         std::string(length, version == 1 ? 2 : 4) + header.str() + data.str();
}

Expected<Tensor> parse(StringRef file) {
  return parseNpy(ArrayRef(file.bytes_begin(), file.size()), "x.npy");
}

class Npy : public FolderTest {};

TEST_F(Npy, ReadsWhatNumPyWrites) {
  std::string file =
      npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 1), }     \n",
          StringRef("\1\0\xff\xff", 4));
  Tensor tensor = valueOf(parse(file));
  EXPECT_EQ(tensor.type, DataType::I16);
  EXPECT_EQ(ArrayRef<int64_t>(tensor.shape), (ArrayRef<int64_t>{2, 1}));
  int64_t values[2];
  readAsI64(tensor, 0, values);
  EXPECT_EQ(values[1], -1);
}

TEST_F(Npy, ReadsOtherVersionsAndSpellings) {
  std::string two = npy("{\"shape\":(3,),\"fortran_order\":False,"
                        "\"descr\":\"|b1\"}",
                        StringRef("\0\1\1", 3), 2);
  EXPECT_EQ(valueOf(parse(two)).type, DataType::Bool);
  std::string scalar = npy("{'descr':'<f8','fortran_order':False,'shape':()}",
                           std::string(8, '\0'), 3);
  EXPECT_EQ(valueOf(parse(scalar)).elements(), 1u);
}

TEST_F(Npy, RefusesDamagedFiles) {
  auto refusal = [](const std::string &file) {
    std::string message = errorOf(parse(file));
    EXPECT_TRUE(StringRef(message).starts_with("x.npy: "));
    return message.substr(7);
  };
  EXPECT_EQ(refusal(""), "expects a .npy file, which begins with \\x93NUMPY");
  EXPECT_EQ(refusal("\x93NUMPY\1"),
            "expects a .npy file, which begins with \\x93NUMPY");
  EXPECT_EQ(refusal(npy("", "", 9)),
            "expects .npy format version 1, 2 or 3, but got 9");
  EXPECT_EQ(refusal(StringRef("\x93NUMPY\1\0\1", 9).str()),
            "ends inside its .npy header");
  EXPECT_EQ(refusal(StringRef("\x93NUMPY\1\0\5\0abc", 13).str()),
            "expects a .npy header of 5 bytes, but the file has only 3 left");
  EXPECT_EQ(refusal(npy("[]")), "npy header: expects '{', but got '[]'");
  EXPECT_EQ(refusal(npy("{'descr'")), "npy header: expects ':', but got ''");
  EXPECT_EQ(refusal(npy("{'x': 1}")),
            "npy header: expects the keys descr, fortran_order and shape, once "
            "each, but got ': 1}'");
  EXPECT_EQ(refusal(npy("{'descr': '<f4', 'shape': ()}")),
            "npy header: expects the keys descr, fortran_order and shape, but "
            "got ''");
  EXPECT_EQ(refusal(npy("{'descr': '>f4'}")),
            "expects little-endian numbers or booleans ('<f4', '<i8', '|b1', "
            "...), but got '>f4'");
  EXPECT_EQ(refusal(npy("{'descr': '|O'}")),
            "expects little-endian numbers or booleans ('<f4', '<i8', '|b1', "
            "...), but got '|O'");
  EXPECT_EQ(refusal(npy("{'descr': [('a', '<f4')]}")),
            "npy header: expects one element type, not a structure, but got "
            "'[('a', '<f4')]}'");
  EXPECT_EQ(refusal(npy("{'fortran_order': True}")),
            "expects C order, but the array is in Fortran order; save "
            "numpy.ascontiguousarray(array)");
  EXPECT_EQ(refusal(npy("{'shape': (-1,)}")),
            "npy header: expects a dimension, but got '-1,)}'");
  EXPECT_EQ(refusal(npy("{'shape': (99999999999999999999,)}")),
            "npy header: expects a dimension, but got "
            "'99999999999999999999,)}'");
}

TEST_F(Npy, RefusesDataThatDoesNotFit) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  EXPECT_EQ(errorOf(parse(npy(header + "(2,)}", "1234"))),
            "x.npy: expects 8 bytes for F32 [2], but got 4");
  EXPECT_EQ(errorOf(parse(npy(header + "(4294967296, 4294967296)}"))),
            "x.npy: expects a shape of less than 2^63 bytes, but got "
            "[4294967296, 4294967296]");
}

TEST_F(Npy, WritesWhatItReads) {
  for (SmallVector<int64_t, 4> shape :
       {SmallVector<int64_t, 4>{}, {3}, {2, 0}, {2, 3}}) {
    std::vector<float> values(*elementCount(shape), 1.25f);
    Tensor tensor = Tensor::fromF32(shape, values);
    std::string path = at("out.npy");
    ASSERT_FALSE(errorToBool(writeNpy(path, tensor)));
    Tensor read = valueOf(readNpy(path));
    EXPECT_EQ(read.shape, tensor.shape);
    EXPECT_EQ(read.bytes, tensor.bytes);
    // Data begins at a multiple of 64, as NumPy promises.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.bytes.data()) % 64, 0u);
  }
}

TEST_F(Npy, DoesNotWriteBF16) {
  uint8_t bytes[2] = {};
  EXPECT_EQ(toString(writeNpy(at("x"), {DataType::BF16, {1}, bytes, nullptr})),
            at("x") + ": expects an element type that NumPy has, but got BF16");
}

} // namespace
