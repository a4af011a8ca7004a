// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Token rows, appending to a key and value cache and reading from it:
// verification.

#include "dialect/AttnOps.h"
#include "dialect/Verify.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace attn;

int64_t attn::pageEntryFloats(int64_t heads, int64_t keyWidth,
                              int64_t valueWidth) {
  return heads * kPageTokens *
         (keyWidth +
          static_cast<int64_t>(llvm::alignTo(valueWidth, kPanelLanes)));
}

//===----------------------------------------------------------------------===//
// Rows of tokens
//===----------------------------------------------------------------------===//

LogicalResult TokenRowsOp::verify() {
  NamedTensor counts("counts", getCounts()), like("like", getLike());
  if (failed(expectRank(*this, counts, 1)))
    return failure();
  if (like.type.getRank() == 0)
    return emitOpError("expects 'like' to have rank 1 or more, but got ")
           << like.type;
  return expectShape(*this, {"sequence", getSequence()},
                     {like.type.getShape().back()});
}

//===----------------------------------------------------------------------===//
// Pages
//===----------------------------------------------------------------------===//

/// A page that has room for one entry of these keys and values, [., G, ., D]
/// and [., G, ., E], at an offset.
static LogicalResult verifyEntry(Operation *op, Value keys, Value values,
                                 Value pool, Value offset) {
  NamedTensor key("key", keys), value("value", values), cache("cache", pool);
  for (const NamedTensor *tensor : {&key, &value})
    if (failed(expectRank(op, *tensor, 4)) ||
        failed(expectStatic(op, {*tensor, 1})) ||
        failed(expectStatic(op, {*tensor, 3})))
      return failure();
  for (int dim = 0; dim < 3; ++dim)
    if (failed(expectSameSize(op, {key, dim}, {value, dim})))
      return failure();
  if (failed(expectRank(op, cache, 2)) || failed(expectStatic(op, {cache, 1})))
    return failure();
  int64_t page = cache.type.getDimSize(1);
  int64_t entry = pageEntryFloats(
      key.type.getDimSize(1), key.type.getDimSize(3), value.type.getDimSize(3));
  if (page < entry)
    return op->emitOpError("expects a page of 'cache' to hold the ")
           << entry << " floats of an entry, but got " << page;
  return expectRank(op, {"offset", offset}, 0);
}

LogicalResult AppendOp::verify() {
  if (failed(verifyEntry(*this, getKey(), getValue(), getCache(), getOffset())))
    return failure();
  NamedTensor key("key", getKey());
  if (key.type.getDimSize(0) != 1)
    return emitOpError("expects batch 1 of 'key', but got ") << key.type;
  int64_t rows = key.type.getDimSize(2);
  if (failed(expectShape(*this, {"sequence", getSequence()}, {rows})) ||
      failed(expectShape(*this, {"position", getPosition()}, {rows})))
    return failure();
  return expectRank(*this, {"pages", getPages()}, 2);
}

LogicalResult ReadPagesOp::verify() {
  if (failed(verifyEntry(*this, getKey(), getValue(), getCache(), getOffset())))
    return failure();
  NamedTensor key("key", getKey()), pages("pages", getPages());
  if (failed(expectRank(*this, pages, 2)) ||
      failed(expectSameSize(*this, {pages, 0}, {key, 0})))
    return failure();
  int64_t blocks = pages.type.getDimSize(1), positions = key.type.getDimSize(2);
  if (ShapedType::isDynamic(blocks) || ShapedType::isDynamic(positions) ||
      positions == blocks * kPageTokens)
    return success();
  return emitOpError("expects dimension 2 of 'key' to be ")
         << blocks * kPageTokens << ", " << kPageTokens
         << " positions for each of " << blocks << " pages, but got "
         << positions;
}
