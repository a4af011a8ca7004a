// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Norms, softmax, matmul and embedding: operations on whole tensors.

#include "dialect/AttnOps.h"
#include "dialect/Verify.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace attn;

//===----------------------------------------------------------------------===//
// Norms and softmax
//===----------------------------------------------------------------------===//

static LogicalResult expectEpsilon(Operation *op, const APFloat &eps) {
  if (eps.isFinite() && !eps.isNegative())
    return success();
  SmallVector<char> text;
  eps.toString(text);
  return op->emitOpError(
             "expects 'eps' to be finite and not negative, but got ")
         << StringRef(text.data(), text.size());
}

/// The normalised dimensions are static, and scale and shift have their shape.
static LogicalResult verifyNorm(Operation *op, const NamedTensor &input,
                                int64_t axes, Value scale, Value shift) {
  for (int64_t axis = axes; axis > 0; --axis)
    if (failed(expectStatic(op, {input, static_cast<int>(-axis)})))
      return failure();
  ArrayRef<int64_t> shape = input.type.getShape().take_back(axes);
  for (auto [name, value] : {std::pair("scale", scale), {"shift", shift}}) {
    if (!value)
      continue;
    NamedTensor factor(name, value);
    if (failed(expectShape(op, factor, shape)) ||
        failed(expectStaticShape(op, factor)))
      return failure();
  }
  return success();
}

LogicalResult LayerNormOp::verify() {
  NamedTensor input("input", getInput());
  auto axes = static_cast<int64_t>(getAxes());
  if (axes < 1 || axes > input.type.getRank())
    return emitOpError("expects 'axes' from 1 to the rank of 'input', ")
           << input.type.getRank() << ", but got " << axes;
  if (failed(verifyNorm(*this, input, axes, getScale(), getShift())))
    return failure();
  return expectEpsilon(*this, getEps());
}

LogicalResult RmsNormOp::verify() {
  NamedTensor input("input", getInput());
  if (input.type.getRank() == 0)
    return emitOpError("expects 'input' to have rank 1 or more, but got ")
           << input.type;
  if (failed(verifyNorm(*this, input, 1, getScale(), Value())))
    return failure();
  return expectEpsilon(*this, getEps());
}

LogicalResult SoftmaxOp::verify() {
  auto axis = static_cast<int64_t>(getAxis());
  int64_t rank = cast<RankedTensorType>(getInput().getType()).getRank();
  if (axis >= 0 && axis < rank)
    return success();
  return emitOpError("expects 'axis' to be a dimension of 'input', which has ")
         << rank << ", but got " << axis;
}

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::verify() {
  NamedTensor a("a", getA()), b("b", getB()), result("result", getResult());
  int64_t rank = a.type.getRank();
  if (rank < 2)
    return emitOpError("expects 'a' to have rank 2 or more, but got ")
           << a.type;
  if (failed(expectRank(*this, b, rank)) ||
      failed(expectRank(*this, result, rank)))
    return failure();
  for (int dim = 0; dim < rank - 2; ++dim)
    if (failed(expectSameSize(*this, {a, dim}, {b, dim})) ||
        failed(expectSameSize(*this, {a, dim}, {result, dim})) ||
        failed(expectSameSize(*this, {b, dim}, {result, dim})))
      return failure();
  int contracted = getTransposeB() ? -1 : -2,
      columns = getTransposeB() ? -2 : -1;
  if (failed(expectSameSize(*this, {a, -1}, {b, contracted})) ||
      failed(expectSameSize(*this, {result, -2}, {a, -2})))
    return failure();
  return expectSameSize(*this, {result, -1}, {b, columns});
}

namespace {

/// matmul(a, transpose(b)) => matmul(a, b) transpose_b, and the other way
/// round, where the transpose swaps the last two dimensions alone.
struct FoldTransposedOperand : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getB().getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "'b' is not a transpose");
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    auto last = static_cast<int64_t>(permutation.size()) - 1;
    for (auto [dim, from] : llvm::enumerate(permutation.drop_back(2)))
      if (from != static_cast<int64_t>(dim))
        return rewriter.notifyMatchFailure(op, "moves a leading dimension");
    if (permutation[last] != last - 1)
      return rewriter.notifyMatchFailure(op, "the transpose moves nothing");
    rewriter.modifyOpInPlace(op, [&] {
      op.getBMutable().assign(transpose.getInput());
      op.setTransposeB(!op.getTransposeB());
    });
    return success();
  }
};

} // namespace

void MatmulOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<FoldTransposedOperand>(context);
}

//===----------------------------------------------------------------------===//
// Embedding
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  NamedTensor ids("ids", getIds()), table("table", getTable());
  if (failed(expectRank(*this, table, 2)) ||
      failed(expectStatic(*this, {table, 1})))
    return failure();
  SmallVector<int64_t> shape(ids.type.getShape());
  shape.push_back(table.type.getDimSize(1));
  return expectShape(*this, {"result", getResult()}, shape);
}
