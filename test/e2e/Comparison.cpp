// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whether tensors are the expected ones, within a tolerance.

#include "Comparison.h"

#include "frontend/weights/Json.h"
#include "frontend/weights/Message.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace attn::weights;
using namespace llvm;

namespace attn::test {

// Elements are read in blocks, so that no tensor is held twice.
static constexpr uint64_t blockElements = 4096;

static Error differ(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<Tolerance> readTolerance(StringRef casePath) {
  auto document = readJson(casePath);
  if (!document)
    return document.takeError();
  const json::Object *root = document->root.getAsObject();
  const json::Object *stated = root ? root->getObject("tolerance") : nullptr;
  auto rtol = stated ? stated->getNumber("rtol") : std::nullopt;
  auto atol = stated ? stated->getNumber("atol") : std::nullopt;
  if (!rtol || !atol || *rtol < 0 || *atol < 0)
    return fileError(casePath, "expects a 'tolerance' with rtol and atol");
  return Tolerance{*rtol, *atol};
}

static double errorOverTolerance(double actual, double expected,
                                 Tolerance tolerance) {
  if (actual == expected) // Equal infinities too.
    return 0;
  double error = std::abs(actual - expected);
  double allowed = tolerance.atol + tolerance.rtol * std::abs(expected);
  // Negated, so that NaN counts as an error.
  if (!(allowed > 0) || !std::isfinite(error))
    return std::numeric_limits<double>::infinity();
  return error / allowed;
}

template <typename Element, typename Read>
static Comparison findWorst(const Tensor &actual, const Tensor &expected,
                            Tolerance tolerance, Read read) {
  Comparison worst;
  std::vector<Element> a(blockElements), e(blockElements);
  for (uint64_t begin = 0; begin < actual.elements(); begin += blockElements) {
    uint64_t count = std::min(blockElements, actual.elements() - begin);
    read(actual, begin, MutableArrayRef(a).take_front(count));
    read(expected, begin, MutableArrayRef(e).take_front(count));
    for (uint64_t i = 0; i < count; ++i) {
      // Integers are compared as they are: doubles hold only 53 bits of them.
      double error =
          a[i] == e[i] ? 0 : errorOverTolerance(a[i], e[i], tolerance);
      if (std::is_integral_v<Element> && a[i] != e[i])
        error = std::numeric_limits<double>::infinity();
      if (error > worst.errorOverTolerance || (begin == 0 && i == 0))
        worst = {begin + i, double(a[i]), double(e[i]), error};
    }
  }
  return worst;
}

Expected<Comparison> compare(const Tensor &actual, const Tensor &expected,
                             Tolerance tolerance) {
  if (actual.shape != expected.shape)
    return differ("expects " + shapeText(expected.shape) + ", but got " +
                  shapeText(actual.shape));
  if (isFloatingPoint(actual.type) != isFloatingPoint(expected.type))
    return differ("expects " + nameOf(expected.type) + ", but got " +
                  nameOf(actual.type));
  return isFloatingPoint(expected.type)
             ? findWorst<double>(actual, expected, tolerance, readAsF64)
             : findWorst<int64_t>(actual, expected, tolerance, readAsI64);
}

Error compareBits(const Tensor &actual, const Tensor &expected) {
  if (actual.type != expected.type || actual.shape != expected.shape)
    return differ("expects " + nameOf(expected.type) + " " +
                  shapeText(expected.shape) + ", but got " +
                  nameOf(actual.type) + " " + shapeText(actual.shape));
  auto [a, e] = std::mismatch(actual.bytes.begin(), actual.bytes.end(),
                              expected.bytes.begin());
  if (a == actual.bytes.end())
    return Error::success();
  uint64_t index = (a - actual.bytes.begin()) / bytesPerElement(expected.type);
  return differ("element " + placeText(expected.shape, index) +
                " is not the expected one, bit for bit");
}

std::string placeText(ArrayRef<int64_t> shape, uint64_t index) {
  SmallVector<int64_t, 4> place(shape);
  for (size_t i = shape.size(); i-- > 0;) {
    place[i] = index % shape[i];
    index /= shape[i];
  }
  return shapeText(place);
}

} // namespace attn::test
