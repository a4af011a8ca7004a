// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.append: keys and values of new tokens into the pages of their sequences.
//
// A task is one token of one head; a slot's tasks are neighbours, so that two
// slots seldom write to one line of a panel of keys.

#include "codegen/cpu/attention/Form.h"
#include "codegen/cpu/cache/Pages.h"
#include "codegen/cpu/kernels/KernelEmitter.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {
struct Append {
  PagedEntry entry;
  Value key, value;         ///< [1, G, T, D], [1, G, T, E]
  Value sequence, position; ///< [T]
};
} // namespace

static Value readIndex(TileBuilder &b, Value buffer, Value at) {
  return arith::IndexCastOp::create(b, b.getIndexType(),
                                    b.loadScalar(buffer, at));
}

static void appendToken(TileBuilder &b, const Append &append, Value head,
                        Value token) {
  const PagedEntry &entry = append.entry;
  Value position = readIndex(b, append.position, token);
  Value slot = b.rem(position, kPageTokens);
  Value page = entry.page(b, readIndex(b, append.sequence, token),
                          b.div(position, kPageTokens));
  Value panel = b.div(slot, kPanelWidth), lane = b.rem(slot, kPanelWidth);
  b.forRange(b.idx(entry.keyWidth), [&](Value d) {
    Value x = b.loadScalar(append.key, {b.idx(0), head, token, d});
    Value to = b.add(entry.key(b, page, head, panel, d), lane);
    memref::StoreOp::create(b, x, entry.cache, to);
  });
  // Columns beyond the width become zeros.
  b.forLanes(b.idx(entry.valueWidth), [&](Value column, Value mask) {
    Value x = b.load(append.value, {b.idx(0), head, token, column}, mask);
    b.store(x, entry.cache,
            entry.value(b, page, head, b.div(column, kPanelWidth), slot));
  });
}

static LogicalResult emitAppend(TileBuilder &b, Operation *operation) {
  auto op = cast<AppendOp>(operation);
  Value key = readView(b, op.getKey()), value = readView(b, op.getValue());
  if (!key || !value)
    return op.emitError("expects key and value of an append kernel to be its "
                        "arguments, transposed at most once with the head "
                        "width last");
  auto typeOf = [](Value tensor) {
    return cast<RankedTensorType>(tensor.getType());
  };
  PagedEntry entry(b, b.memory(op.getResult()), b.memory(op.getOffset()),
                   b.memory(op.getPages()), typeOf(op.getKey()),
                   typeOf(op.getValue()));
  Append append{entry, key, value, b.memory(op.getSequence()),
                b.memory(op.getPosition())};
  Value tokens = b.dim(append.sequence, 0);
  Value divisor = b.max(tokens, b.idx(1)); // no tokens: no tasks
  auto [first, last] = b.share(b.mul(tokens, entry.heads));
  b.forRange(first, last, b.idx(1), [&](Value task) {
    appendToken(b, append, b.div(task, divisor), b.rem(task, divisor));
  });
  return success();
}

const KernelEmitter attn::cpu::appendEmitter = {
    .match = matchOp<AppendOp>, .scratchBytes = nullptr, .emit = emitAppend};
