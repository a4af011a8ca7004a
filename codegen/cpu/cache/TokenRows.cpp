// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.token_rows: a running sum over sequences. One slot does it all: the
// fewest sums that another could start from are all before it.

#include "codegen/cpu/kernels/KernelEmitter.h"
#include "dialect/AttnOps.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {
struct TokenRows {
  Value counts, past;
  Value starts, lengths, sequence, position; ///< null where nothing reads them
  Value tokens;
};
} // namespace

/// Stores an index as an integer, where the result is wanted.
static void put(TileBuilder &b, Value index, Value buffer, Value at) {
  if (!buffer)
    return;
  Value element = arith::IndexCastOp::create(b, b.getI64Type(), index);
  memref::StoreOp::create(b, element, buffer, at);
}

static void emitRows(TileBuilder &b, const TokenRows &rows) {
  auto read = [&](Value buffer, Value at) -> Value {
    return arith::IndexCastOp::create(b, b.getIndexType(),
                                      b.loadScalar(buffer, at));
  };
  b.forRange(b.idx(0), b.dim(rows.counts, 0), b.idx(1), {b.idx(0)},
             [&](Value sequence, ValueRange sums) -> SmallVector<Value> {
               Value start = sums.front();
               Value count = read(rows.counts, sequence);
               Value past = read(rows.past, sequence);
               put(b, start, rows.starts, sequence);
               put(b, b.add(past, count), rows.lengths, sequence);
               Value end = b.add(start, count);
               // No row is written beyond the last, whatever counts say.
               b.forRange(
                   start, b.min(end, rows.tokens), b.idx(1), [&](Value row) {
                     put(b, sequence, rows.sequence, row);
                     put(b, b.add(past, b.sub(row, start)), rows.position, row);
                   });
               return {end};
             });
}

static LogicalResult emitTokenRows(TileBuilder &b, Operation *operation) {
  auto op = cast<TokenRowsOp>(operation);
  Value like = b.memory(op.getLike());
  TokenRows rows{b.memory(op.getCounts()),
                 b.memory(op.getPast()),
                 b.memory(op.getStarts()),
                 b.memory(op.getLengths()),
                 b.memory(op.getSequence()),
                 b.memory(op.getPosition()),
                 b.dim(like, cast<MemRefType>(like.getType()).getRank() - 1)};
  b.ifThen(b.equal(b.slot(), b.idx(0)), [&] { emitRows(b, rows); });
  return success();
}

const KernelEmitter attn::cpu::tokenRowsEmitter = {.match =
                                                       matchOp<TokenRowsOp>,
                                                   .scratchBytes = nullptr,
                                                   .emit = emitTokenRows};
