// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.attention: scores live in slot scratch, a block of query rows at a time,
// never in memory as a whole.
//
// A task is one block of rows of one head. For each head it meets, a slot packs
// the keys as transposed panels; values stay in place. Keys come in chunks of a
// fixed size from key 0 on: their scores, their weights, their values; what
// rows carry from one chunk to the next is in scratch.

#include "codegen/cpu/attention/DotScores.h"
#include "codegen/cpu/attention/KeyPanels.h"
#include "codegen/cpu/attention/Results.h"
#include "codegen/cpu/attention/Softmax.h"
#include "codegen/cpu/attention/Values.h"
#include "codegen/cpu/kernels/KernelEmitter.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// What is done once for each key head that a slot meets.
static void prepareHead(AttentionState &s, Value batch, Value keyHead) {
  packKeys(s, batch, keyHead);
  checkValues(s, batch, keyHead);
}

/// What the score region starts from: scores[row, j] of a chunk.
static void fillScores(AttentionState &s, const RowTiles &tiles,
                       const Chunk &chunk) {
  multiplyDots(s, tiles, chunk);
}

/// Scores to weights that are relative to the row's sum so far.
static void normalizeScores(AttentionState &s, const HeadRows &rows,
                            const Chunk &chunk) {
  softmaxChunk(s, rows, chunk);
}

static void emitRows(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  loadQueries(s, rows);
  startRows(s, rows);
  RowTiles tiles(b, b.idx(0), rows.count, b.target.attention.rows);
  b.forRange(b.idx(0), s.n, b.idx(kChunkKeys), [&](Value key) {
    Chunk chunk{key, b.min(b.sub(s.n, key), b.idx(kChunkKeys))};
    fillScores(s, tiles, chunk);
    normalizeScores(s, rows, chunk);
    addValues(s, rows, tiles, chunk);
  });
  finishRows(s, rows);
}

/// The blocks [first, last) of all heads, numbered head by head.
static void emitBlocks(AttentionState &s, Value first, Value last,
                       Value blocksOfHead) {
  TileBuilder &b = s.b;
  Value heads = b.dim(s.form.query, 1);
  Value divisor = b.max(blocksOfHead, b.idx(1)); // no rows: no tasks
  Value firstHead = b.div(first, divisor);
  b.forRange(firstHead, b.ceilDiv(last, divisor), b.idx(1), [&](Value at) {
    Value head = b.rem(at, heads), batch = b.div(at, heads);
    Value keyHead = b.div(head, s.form.headsPerKeyHead);
    Value isNew = arith::OrIOp::create(
        b, b.equal(at, firstHead),
        b.equal(b.rem(head, s.form.headsPerKeyHead), b.idx(0)));
    b.ifThen(isNew, [&] { prepareHead(s, batch, keyHead); });
    Value origin = b.mul(at, blocksOfHead);
    Value start = b.sub(b.max(first, origin), origin);
    Value end = b.min(b.sub(last, origin), blocksOfHead);
    b.forRange(start, end, b.idx(1), [&](Value block) {
      Value row = b.div(b.mul(s.m, block), divisor);
      Value next = b.div(b.mul(s.m, b.add(block, 1)), divisor);
      emitRows(s, {batch, head, keyHead, row, b.sub(next, row)});
    });
  });
}

static Value attentionScratch(TileBuilder &b, Operation *op) {
  FailureOr<AttentionForm> form = readAttention(b, cast<AttentionOp>(op));
  if (failed(form))
    return {};
  return ScratchLayout(b, *form, b.dim(form->key, 2)).bytes;
}

static LogicalResult emitAttention(TileBuilder &b, Operation *op) {
  FailureOr<AttentionForm> form = readAttention(b, cast<AttentionOp>(op));
  if (failed(form))
    return failure();
  AttentionState s(b, *form);
  Value blocks = b.ceilDiv(s.m, b.target.attentionRows);
  Value heads = b.mul(b.dim(form->query, 0), b.dim(form->query, 1));
  auto [first, last] = b.share(b.mul(heads, blocks));
  emitBlocks(s, first, last, blocks);
  return failure(s.failed);
}

const KernelEmitter attn::cpu::attentionEmitter = {
    .match = matchOp<AttentionOp>,
    .scratchBytes = attentionScratch,
    .emit = emitAttention};
