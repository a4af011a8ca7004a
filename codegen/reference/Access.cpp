// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Affine accesses of the reference evaluator's loop nests.

#include "codegen/reference/Access.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace attn::reference;

/// The coefficients of a linear expression: one for each loop, then the
/// constant.
static std::optional<SmallVector<int64_t>> coefficientsOf(AffineExpr expr,
                                                          unsigned loops) {
  SmallVector<int64_t> result(loops + 1, 0);
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    result[dim.getPosition()] = 1;
    return result;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    result.back() = constant.getValue();
    return result;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary || (expr.getKind() != AffineExprKind::Add &&
                  expr.getKind() != AffineExprKind::Mul))
    return std::nullopt;
  auto left = coefficientsOf(binary.getLHS(), loops);
  auto right = coefficientsOf(binary.getRHS(), loops);
  if (!left || !right)
    return std::nullopt;
  // Affine expressions keep the constant factor on the right.
  for (unsigned i = 0; i <= loops; ++i)
    result[i] = expr.getKind() == AffineExprKind::Add
                    ? (*left)[i] + (*right)[i]
                    : (*left)[i] * right->back();
  return result;
}

FailureOr<Access> Access::create(Operation *op, const llvm::Twine &what,
                                 AffineMap map, ArrayRef<int64_t> loopSizes,
                                 ArrayRef<int64_t> shape) {
  if (map.getNumDims() != loopSizes.size() || map.getNumSymbols() != 0 ||
      map.getNumResults() != shape.size())
    return op->emitOpError("expects the map of ")
           << what << " to take " << loopSizes.size() << " loops to "
           << shape.size() << " dimensions, but got "
           << AffineMapAttr::get(map);
  Access access;
  access.strides.resize(loopSizes.size(), 0);
  bool runs = !llvm::is_contained(loopSizes, 0);
  int64_t stride = 1;
  for (int64_t axis = int64_t(shape.size()) - 1; axis >= 0; --axis) {
    AffineExpr expr = map.getResult(axis);
    auto coefficients = coefficientsOf(expr, loopSizes.size());
    if (!coefficients)
      return op->emitOpError("has a map that cannot be evaluated: ")
             << AffineMapAttr::get(map);
    int64_t least = coefficients->back(), most = least;
    for (auto [loop, size] : llvm::enumerate(loopSizes)) {
      int64_t reach = (*coefficients)[loop] * (size - 1);
      (reach < 0 ? least : most) += reach;
      access.strides[loop] += (*coefficients)[loop] * stride;
    }
    // A dimension that one loop walks alone has that loop's size, 0 included.
    auto dim = dyn_cast<AffineDimExpr>(expr);
    int64_t needed = dim ? loopSizes[dim.getPosition()] : most + 1;
    bool fits = dim ? shape[axis] == needed
                    : !runs || (least >= 0 && shape[axis] >= needed);
    if (!fits)
      return op->emitOpError("expects dimension ")
             << axis << " of " << what << " to be " << (dim ? "" : "at least ")
             << needed << ", but got " << shape[axis];
    access.start += coefficients->back() * stride;
    stride *= shape[axis];
  }
  return access;
}

std::vector<int64_t> Access::positions(ArrayRef<int64_t> loopSizes,
                                       int64_t first, int64_t count) const {
  SmallVector<int64_t> index(loopSizes.size(), 0);
  int64_t position = start;
  for (int64_t loop = int64_t(loopSizes.size()) - 1, rest = first; loop >= 0;
       --loop) {
    index[loop] = rest % loopSizes[loop];
    rest /= loopSizes[loop];
    position += index[loop] * strides[loop];
  }
  std::vector<int64_t> result;
  result.reserve(count);
  for (int64_t i = 0; i < count; ++i) {
    result.push_back(position);
    for (int64_t loop = int64_t(loopSizes.size()) - 1; loop >= 0; --loop) {
      position += strides[loop];
      if (++index[loop] < loopSizes[loop])
        break;
      position -= index[loop] * strides[loop];
      index[loop] = 0;
    }
  }
  return result;
}

template <typename T>
static std::vector<T> pick(ArrayRef<T> values, ArrayRef<int64_t> positions) {
  std::vector<T> picked;
  picked.reserve(positions.size());
  for (int64_t position : positions)
    picked.push_back(values[position]);
  return picked;
}

Array attn::reference::gather(const Array &array, ArrayRef<int64_t> positions) {
  int64_t lanes = positions.size();
  if (array.isFloat())
    return Array::ofFloats(lanes, pick(array.floats(), positions));
  return Array::ofIntegers(lanes, pick(array.integers(), positions));
}
