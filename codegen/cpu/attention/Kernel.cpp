// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn.attention: scores live in slot scratch, a block of query rows at a time,
// never in memory as a whole.
//
// A task is one block of rows of one head, or of all heads where their mean
// weights are a result. For each head it meets, a slot packs what depends on
// keys alone as transposed panels, and the values as panels. Keys come in
// chunks of a fixed size from key 0 on: their terms, their weights, their
// values; what rows carry from one chunk to the next is in scratch. Of a chunk
// only the runs of keys that some row may keep are looked at.
//
// Where each weight is needed as it leaves the softmax, a first pass finds the
// rows' sums. The second takes the scores of a single chunk from scratch, and
// those of several from the terms again.

#include "codegen/cpu/attention/Results.h"
#include "codegen/cpu/attention/SidedValues.h"
#include "codegen/cpu/attention/Softmax.h"
#include "codegen/cpu/attention/Terms.h"
#include "codegen/cpu/attention/Values.h"
#include "codegen/cpu/attention/Weights.h"
#include "codegen/cpu/attention/sparsity/RowBlocks.h"
#include "codegen/cpu/cache/ChunkTotals.h"
#include "codegen/cpu/cache/FewRows.h"
#include "codegen/cpu/cache/RaggedRows.h"
#include "codegen/cpu/cache/StreamedRows.h"
#include "codegen/cpu/kernels/KernelEmitter.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// What is done once for each key head that a slot meets, for the keys that
/// `rows` may keep.
static void prepareHead(AttentionState &s, const HeadRows &rows) {
  startValues(s);
  auto pack = [&](const Chunk &chunk) {
    forRuns(s, chunk, [&](const KeyRun &run) {
      Keys keys{s.b.add(chunk.first, run.column), run.count};
      packKeys(s, rows, keys.first, keys.count);
      packValues(s, rows, keys);
    });
  };
  // Heads that share keys may each keep others of them.
  bool isOwn = s.form.program.keysVaryWithHead() || s.form.headsPerKeyHead == 1;
  if (isOwn || !s.form.keepReadsHead())
    forKeptChunks(s, rows, pack);
  else
    forChunks(s, pack);
}

/// What the regions start from: all terms of a chunk.
static void fillTerms(AttentionState &s, const HeadRows &rows,
                      const RowTiles &tiles, const Chunk &chunk) {
  forRuns(s, chunk,
          [&](const KeyRun &run) { fillTerms(s, rows, tiles, chunk, run); });
}

/// Weights relative to each row's reference meet the values; the rows' sums
/// come last.
static void emitRelative(AttentionState &s, const HeadRows &rows,
                         const RowTiles &tiles) {
  TileBuilder &b = s.b;
  AttentionState total = withTotals(s);
  // A single chunk needs no total, unless a sink was there before.
  Value hasTotal = b.less(b.idx(s.form.sink ? 0 : kChunkKeys), s.n);
  b.ifThen(hasTotal, [&] { startRows(total, rows); });
  forKeptChunks(s, rows, [&](const Chunk &chunk) {
    b.ifThen(hasTotal, [&] { clearRows(s, rows); });
    fillTerms(s, rows, tiles, chunk);
    softmaxChunk(s, rows, chunk);
    addValues(s, rows, tiles, chunk);
    b.ifThen(hasTotal, [&] { addChunk(s, total, rows); });
  });
  b.ifThen(hasTotal, [&] { copySums(total, s, rows); });
  finishSums(s, rows);
}

/// Softmax whose weights are needed one by one.
static void emitNormalized(AttentionState &s, const HeadRows &rows,
                           const RowTiles &tiles) {
  TileBuilder &b = s.b;
  forKeptChunks(s, rows, [&](const Chunk &chunk) {
    fillTerms(s, rows, tiles, chunk);
    softmaxChunk(s, rows, chunk);
  });
  finishSums(s, rows);
  Value isLong = b.less(b.idx(kChunkKeys), s.n);
  forKeptChunks(
      s, rows,
      [&](const Chunk &chunk) {
        b.ifThen(isLong, [&] {
          fillTerms(s, rows, tiles, chunk);
          repeatSoftmax(s, rows, chunk);
        });
        finishWeights(s, rows, chunk);
        addValues(s, rows, tiles, chunk);
      },
      [&](const Keys &keys) { clearMap(s, rows, keys); });
}

/// Weights that depend on their own score only.
static void emitPlain(AttentionState &s, const HeadRows &rows,
                      const RowTiles &tiles) {
  forKeptChunks(
      s, rows,
      [&](const Chunk &chunk) {
        fillTerms(s, rows, tiles, chunk);
        plainWeights(s, rows, chunk);
        if (s.form.needsWeights())
          finishWeights(s, rows, chunk);
        addValues(s, rows, tiles, chunk);
      },
      [&](const Keys &keys) { clearMap(s, rows, keys); });
}

static void emitRows(AttentionState &s, const HeadRows &rows) {
  TileBuilder &b = s.b;
  computeRows(s, rows);
  startRows(s, rows);
  RowTiles tiles(b, b.idx(0), rows.count, b.target.attention.rows, kRowStep);
  bool isRelative = s.form.isSoftmax() && !s.form.needsWeights();
  if (isRelative)
    emitRelative(s, rows, tiles);
  else if (s.form.isSoftmax())
    emitNormalized(s, rows, tiles);
  else
    emitPlain(s, rows, tiles);
  writeRows(s, rows, isRelative);
}

/// A block without the rows that keep nothing: those are zero.
static void emitBlock(AttentionState &s, const HeadRows &rows) {
  if (!s.form.keep)
    return emitRows(s, rows);
  TileBuilder &b = s.b;
  HeadRows kept = keptRows(s, rows), before = rows, after = rows;
  before.count = b.sub(kept.first, rows.first);
  after.first = b.add(kept.first, kept.count);
  after.count = b.sub(b.sub(rows.count, before.count), kept.count);
  auto writeEmpty = [&](const HeadRows &some) {
    writeEmptyRows(s, some);
    clearMap(s, some, {b.idx(0), s.n});
  };
  writeEmpty(before);
  b.ifThen(b.less(b.idx(0), kept.count), [&] { emitRows(s, kept); });
  writeEmpty(after);
}

/// Blocks [first, end) of one head; `isFirst` says that the slot met no other
/// before.
static void emitHead(AttentionState &s, const RowBlocks &blocks, Value batch,
                     Value head, Value isFirst, Value first, Value end) {
  TileBuilder &b = s.b;
  HeadRows all{batch, head, b.div(head, s.form.headsPerKeyHead), {}, {}, {}};
  auto prepare = [&](Value from, Value to) {
    prepareHead(s, blocks.rowsOf(all, from, to));
  };
  if (s.form.program.keysVaryWithHead() || s.form.headsPerKeyHead == 1) {
    prepare(first, end);
  } else {
    Value isNext = b.equal(b.rem(head, s.form.headsPerKeyHead), b.idx(0));
    b.ifThen(arith::OrIOp::create(b, isFirst, isNext),
             [&] { prepare(b.idx(0), blocks.count); });
  }
  b.forRange(first, end, b.idx(1), [&](Value block) {
    emitBlock(s, blocks.rowsOf(all, block, b.add(block, 1)));
  });
}

/// This slot's share of the blocks of all heads, or of all batches where heads
/// go together, numbered one after the other.
static void emitShare(AttentionState &s) {
  TileBuilder &b = s.b;
  RowBlocks blocks(s);
  Value count = b.max(blocks.count, b.idx(1)); // no rows: no tasks
  Value batches = b.dim(s.form.queries.front(), 0);
  Value heads = b.dim(s.form.queries.front(), 1);
  bool together = s.form.returnsMean();
  Value groups = together ? batches : b.mul(batches, heads);
  auto [first, last] = shareOfBlocks(s, blocks, groups);
  Value firstGroup = b.div(first, count);
  b.forRange(
      firstGroup, b.ceilDiv(last, count), b.idx(1),
      [&, first = first, last = last](Value group) {
        Value origin = b.mul(group, blocks.count);
        Value start = b.sub(b.max(first, origin), origin);
        Value end = b.min(b.sub(last, origin), blocks.count);
        if (!together)
          return emitHead(s, blocks, b.div(group, heads), b.rem(group, heads),
                          b.equal(group, firstGroup), start, end);
        b.forRange(heads, [&](Value head) {
          emitHead(s, blocks, group, head, b.equal(head, b.idx(0)), start, end);
        });
      });
}

static LogicalResult emitManyRows(TileBuilder &b, const AttentionForm &form) {
  AttentionState s(b, form);
  emitShare(s);
  return failure(s.failed);
}

static Value attentionScratch(TileBuilder &b, Operation *op) {
  FailureOr<AttentionForm> form = readAttention(b, cast<AttentionOp>(op));
  if (failed(form))
    return {};
  if (form->starts)
    return raggedScratch(b, *form);
  Rows rows = expectedRows(*form);
  if (rows == Rows::Few)
    return fewRowsScratch(b, *form);
  Value keys = form->positions(b);
  Value bytes = ScratchLayout(b, *form, keys, keys).bytes;
  if (rows == Rows::Many)
    return bytes;
  return b.select(hasFewRows(b, *form), fewRowsScratch(b, *form), bytes);
}

static LogicalResult emitAttention(TileBuilder &b, Operation *op) {
  FailureOr<AttentionForm> form = readAttention(b, cast<AttentionOp>(op));
  if (failed(form))
    return failure();
  if (form->starts)
    return emitRagged(b, *form);
  Rows rows = expectedRows(*form);
  if (rows == Rows::Few)
    return emitFewRows(b, *form);
  if (rows == Rows::Many)
    return emitManyRows(b, *form);
  LogicalResult few = success(), many = success();
  b.ifElse(
      hasFewRows(b, *form), [&] { few = emitFewRows(b, *form); },
      // An error is told once.
      [&] { many = failed(few) ? few : emitManyRows(b, *form); });
  return failure(failed(few) || failed(many));
}

/// Whether keys may have been split between slots.
static bool isAttentionLeft(Operation *op) {
  auto attention = cast<AttentionOp>(op);
  return attention.isRagged() ||
         (!attention.getWeights() && attention.getWeight().empty());
}

static LogicalResult finishAttention(TileBuilder &b, Operation *op) {
  FailureOr<AttentionForm> form = readAttention(b, cast<AttentionOp>(op));
  if (failed(form))
    return failure();
  if (form->starts)
    return finishRagged(b, *form);
  Rows rows = expectedRows(*form);
  if (rows == Rows::Many)
    return success();
  if (rows == Rows::Few)
    return finishFewRows(b, *form);
  LogicalResult few = success();
  b.ifThen(hasFewRows(b, *form), [&] { few = finishFewRows(b, *form); });
  return few;
}

const KernelEmitter attn::cpu::attentionEmitter = {
    .match = matchOp<AttentionOp>,
    .scratchBytes = attentionScratch,
    .emit = emitAttention,
    .isLeft = isAttentionLeft,
    .finish = finishAttention};
