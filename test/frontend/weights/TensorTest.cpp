// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversion of elements, sizes of shapes.

#include "frontend/weights/Tensor.h"
#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace attn::weights;
using namespace llvm;

namespace {

// The value of one F16 or BF16 with these bits.
float valueOf16(DataType type, uint16_t bits) {
  uint8_t bytes[2];
  std::memcpy(bytes, &bits, 2);
  float value;
  readAsF32({type, {}, bytes, nullptr}, 0, value);
  return value;
}

// IEEE 754 binary16 from its definition, by arithmetic in double.
double binary16(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double sign = bits >> 15 ? -1 : 1;
  if (exponent == 0)
    return sign * std::ldexp(fraction, -24);
  if (exponent == 31)
    return fraction ? NAN : sign * INFINITY;
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(Tensor, ConvertsEveryF16) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    float value = valueOf16(DataType::F16, bits);
    double expected = binary16(bits);
    if (std::isnan(expected))
      ASSERT_TRUE(std::isnan(value)) << bits;
    else
      ASSERT_EQ(value, expected) << bits;
    ASSERT_EQ(std::signbit(value), bits >> 15 == 1) << bits;
  }
}

TEST(Tensor, ConvertsBF16) {
  EXPECT_EQ(valueOf16(DataType::BF16, 0x3f80), 1.0f);
  EXPECT_EQ(valueOf16(DataType::BF16, 0xc049), -3.140625f);
  EXPECT_EQ(valueOf16(DataType::BF16, 0x0001), std::ldexp(1.0f, -133));
  EXPECT_EQ(valueOf16(DataType::BF16, 0xff80), -INFINITY);
  EXPECT_TRUE(std::isnan(valueOf16(DataType::BF16, 0x7fc0)));
}

TEST(Tensor, ReadsARangeAtAnyAddress) {
  // One byte before the elements makes all of them unaligned.
  uint8_t memory[1 + 3 * sizeof(double)];
  double stored[] = {0.1, -2.5, 1e300};
  std::memcpy(memory + 1, stored, sizeof stored);
  Tensor tensor{DataType::F64, {3}, ArrayRef(memory).drop_front(), nullptr};
  double exact[2];
  readAsF64(tensor, 1, exact);
  EXPECT_EQ(exact[0], -2.5);
  EXPECT_EQ(exact[1], 1e300);
  float rounded[3];
  readAsF32(tensor, 0, rounded);
  EXPECT_EQ(rounded[0], 0.1f);
  EXPECT_EQ(rounded[2], INFINITY);
}

TEST(Tensor, ReadsIntegersAndBooleans) {
  uint8_t bytes[] = {0, 1, 0xff, 0x80};
  int64_t values[4];
  readAsI64({DataType::Bool, {4}, bytes, nullptr}, 0, values);
  EXPECT_EQ(ArrayRef(values), (ArrayRef<int64_t>{0, 1, 1, 1}));
  readAsI64({DataType::U8, {4}, bytes, nullptr}, 0, values);
  EXPECT_EQ(ArrayRef(values), (ArrayRef<int64_t>{0, 1, 255, 128}));
  readAsI64({DataType::I8, {4}, bytes, nullptr}, 0, values);
  EXPECT_EQ(ArrayRef(values), (ArrayRef<int64_t>{0, 1, -1, -128}));
  int64_t narrow[1];
  readAsI64({DataType::I32, {1}, bytes, nullptr}, 0, narrow);
  EXPECT_EQ(narrow[0], int32_t(0x80ff0100));
  float floats[4];
  readAsF32({DataType::I8, {4}, bytes, nullptr}, 0, floats);
  EXPECT_EQ(floats[3], -128.0f);
}

TEST(Tensor, NamesItsTypesAsSafetensorsDoes) {
  for (StringRef name : {"BOOL", "U8", "I8", "U16", "I16", "F16", "BF16", "U32",
                         "I32", "F32", "U64", "I64", "F64"}) {
    ASSERT_TRUE(dataTypeNamed(name).has_value()) << name.str();
    EXPECT_EQ(nameOf(*dataTypeNamed(name)), name);
    EXPECT_TRUE(allDataTypes().contains(name));
  }
  EXPECT_EQ(bytesPerElement(DataType::BF16), 2u);
  EXPECT_EQ(bytesPerElement(DataType::I64), 8u);
  EXPECT_FALSE(dataTypeNamed("F4").has_value());
}

TEST(Tensor, CountsBytesWithoutOverflow) {
  constexpr int64_t big = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(elementCount({}), 1u);
  EXPECT_EQ(elementCount({2, 3, 4}), 24u);
  EXPECT_EQ(elementCount({big}), uint64_t(big));
  EXPECT_EQ(elementCount({big, big, 0}), 0u);
  EXPECT_EQ(elementCount({big, 2}), std::nullopt);
  EXPECT_EQ(elementCount({0, -1}), std::nullopt);
  EXPECT_EQ(byteCount(DataType::F32, {big / 4}), uint64_t(big / 4 * 4));
  EXPECT_EQ(byteCount(DataType::F32, {big / 4 + 1}), std::nullopt);
}

TEST(TensorTable, RefusesANameTwice) {
  TensorTable table("memory");
  EXPECT_TRUE(table.insert("a", Tensor::fromF32({1}, {1.0f})));
  EXPECT_FALSE(table.insert("a", Tensor::fromF32({1}, {2.0f})));
  float value;
  readAsF32(*table.find("a"), 0, value);
  EXPECT_EQ(value, 1.0f);
  EXPECT_EQ(table.fileOf("a"), "memory");
}

} // namespace
