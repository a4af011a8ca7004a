// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is a block of rows of one key head of one sequence. The heads that
// share a key head are rows of one block where nothing of the score is computed
// for a head alone: keys and values are then read once for all of them.
//
// Plain keys are multiplied straight from their pages, chunk by chunk. What
// needs more than products of keys has them copied to rows of scratch first.

#include "codegen/cpu/cache/RaggedRows.h"

#include "codegen/cpu/attention/HeadTasks.h"
#include "codegen/cpu/attention/Results.h"
#include "codegen/cpu/attention/SidedValues.h"
#include "codegen/cpu/attention/Softmax.h"
#include "codegen/cpu/attention/Weights.h"
#include "codegen/cpu/cache/ChunkTotals.h"
#include "codegen/cpu/cache/PagedProducts.h"
#include "codegen/cpu/cache/UnpackPages.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static constexpr int64_t kFloat = sizeof(float);

static Value readIndex(TileBuilder &b, Value buffer, Value at) {
  return arith::IndexCastOp::create(b, b.getIndexType(),
                                    b.loadScalar(buffer, at));
}

static int64_t widthOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getDimSize(3);
}

//===----------------------------------------------------------------------===//
// The form
//===----------------------------------------------------------------------===//

/// Whether all that is needed of keys is their products: they are multiplied
/// where they lie.
static bool readsPagesDirectly(const AttentionForm &form) {
  const ScoreProgram &program = form.program;
  AttentionOp op = form.op;
  Value key = op.getScore().getArgument(1);
  auto isKey = [&](const SidedVector &vector) {
    return vector.side != Side::Key ||
           (!vector.isExponential && vector.parts.size() == 1 &&
            vector.parts.front().factor == 1.0 &&
            program.representative(vector.parts.front().vector) == key);
  };
  return form.pages && llvm::all_of(program.vectors(), isKey) &&
         llvm::none_of(program.scalars(),
                       [](const SidedScalar &scalar) {
                         return scalar.side == Side::Key;
                       }) &&
         program.terms().size() == 1 &&
         program.terms().front().products.size() == 1;
}

/// How many heads are rows of one block.
static int64_t headsTogether(const AttentionForm &form) {
  const ScoreProgram &program = form.program;
  auto ofHead = [](const auto &sided) { return sided.side == Side::Head; };
  AttentionOp op = form.op;
  unsigned head = 2 * op.getQueries().size() + 1;
  bool apart = program.keysVaryWithHead() ||
               llvm::any_of(program.vectors(), ofHead) ||
               llvm::any_of(program.scalars(), ofHead) ||
               (form.keep && !form.keep->getArgument(head).use_empty());
  return apart ? 1 : form.headsPerKeyHead;
}

/// Bytes of a slot's scratch before the totals and the rows of keys.
static ScratchLayout layoutOf(TileBuilder &b, const AttentionForm &form) {
  bool direct = readsPagesDirectly(form);
  return {b, form, direct ? b.idx(0) : form.positions(b)};
}

Value attn::cpu::raggedScratch(TileBuilder &b, const AttentionForm &form) {
  ScratchLayout layout = layoutOf(b, form);
  Value bytes = b.add(layout.bytes, totalsBytes(layout));
  if (!form.pages || readsPagesDirectly(form))
    return bytes;
  AttentionOp op = form.op;
  int64_t width = widthOf(op.getKeys().front()) + widthOf(op.getValue());
  return b.add(bytes, b.mul(form.positions(b), width * kFloat));
}

namespace {

/// The kernel, with its keys and values as rows in scratch where they are
/// pages that cannot be read directly.
struct Ragged {
  Ragged(TileBuilder &b, const AttentionForm &form);

  TileBuilder &b;
  AttentionForm form;
  bool direct;
  int64_t together;
  std::optional<PagedEntry> entry;
};

/// A sequence of the call.
struct RaggedSequence {
  Value number;
  Value origin; ///< its first row
  Value rows, keys;
};

} // namespace

Ragged::Ragged(TileBuilder &b, const AttentionForm &given)
    : b(b), form(given), direct(readsPagesDirectly(given)),
      together(headsTogether(given)) {
  if (!form.pages)
    return;
  ReadPagesOp op = form.pages;
  entry.emplace(b, b.memory(op.getCache()), b.memory(op.getOffset()),
                b.memory(op.getPages()),
                cast<RankedTensorType>(op.getKey().getType()),
                cast<RankedTensorType>(op.getValue().getType()));
  if (direct)
    return;
  Value positions = form.positions(b);
  ScratchLayout layout = layoutOf(b, form);
  Value offset = b.add(layout.bytes, totalsBytes(layout));
  auto rows = [&](int64_t width) {
    auto type =
        MemRefType::get({1, 1, ShapedType::kDynamic, width}, b.getF32Type());
    Value buffer = b.scratch(offset, type, positions);
    offset = b.add(offset, b.mul(positions, width * kFloat));
    return buffer;
  };
  form.keys = {rows(entry->keyWidth)};
  form.value = rows(entry->valueWidth);
}

//===----------------------------------------------------------------------===//
// Blocks of rows
//===----------------------------------------------------------------------===//

/// The products of a chunk with keys that lie in pages.
static void emitChunk(AttentionState &s, const PagedHead &head,
                      const HeadRows &rows, const RowTiles &tiles,
                      const Chunk &chunk) {
  clearRows(s, rows);
  forRuns(s, chunk, [&](const KeyRun &run) {
    multiplyPagedDots(s, head, tiles, chunk, run);
  });
  if (s.form.isSoftmax())
    softmaxChunk(s, rows, chunk);
  else
    plainWeights(s, rows, chunk);
  forRuns(s, chunk, [&](const KeyRun &run) {
    addPagedValues(s, head, rows, tiles, chunk, run);
  });
}

static void emitPagedRows(const Ragged &ragged, AttentionState &s,
                          const HeadRows &rows) {
  TileBuilder &b = s.b;
  PagedHead head{*ragged.entry, rows.batch, rows.keyHead};
  AttentionState total = withTotals(s, totalsAt(b, s.layout, s.layout.bytes));
  computeRows(s, rows);
  startRows(total, rows);
  RowTiles tiles(b, b.idx(0), rows.count, b.target.attention.rows);
  forKeptChunks(s, rows, [&](const Chunk &chunk) {
    emitChunk(s, head, rows, tiles, chunk);
    addChunk(s, total, rows);
  });
  if (s.form.isSoftmax())
    finishSums(total, rows);
  writeRows(total, rows, s.form.isSoftmax());
}

/// The rows [first, first + count) of a key head, or of a head.
static void emitBlock(const Ragged &ragged, AttentionState &s,
                      const RaggedSequence &sequence, Value head, Value first,
                      Value count) {
  TileBuilder &b = s.b;
  HeadRows rows{sequence.number, head,           {}, first, count,
                sequence.origin, ragged.together};
  bool grouped = ragged.together > 1;
  rows.keyHead = grouped ? head : b.div(head, s.form.headsPerKeyHead);
  rows.head = grouped ? b.mul(head, ragged.together) : head;
  if (ragged.direct)
    return emitPagedRows(ragged, s, rows);
  if (ragged.entry)
    unpackPages(b, *ragged.entry, sequence.number, rows.keyHead, s.n,
                s.form.keys.front(), s.form.value);
  prepareHead(s, rows);
  emitRows(s, rows);
}

//===----------------------------------------------------------------------===//
// Shares
//===----------------------------------------------------------------------===//

static RaggedSequence readSequence(const Ragged &ragged, Value number) {
  TileBuilder &b = ragged.b;
  const AttentionForm &form = ragged.form;
  Value sequences = b.dim(form.starts, 0), next = b.add(number, 1);
  Value isLast = b.equal(next, sequences);
  Value origin = readIndex(b, form.starts, number);
  Value end = readIndex(b, form.starts, b.select(isLast, number, next));
  end = b.select(isLast, b.dim(form.queries.front(), 2), end);
  return {number, origin, b.sub(end, origin),
          readIndex(b, form.lengths, number)};
}

namespace {
/// The tasks of a sequence: `heads` times `blocks`, each of one cost.
struct SequenceTasks {
  Value heads, blocks, cost;
};
} // namespace

static SequenceTasks tasksOf(const Ragged &ragged,
                             const RaggedSequence &sequence) {
  TileBuilder &b = ragged.b;
  Value heads = b.dim(ragged.form.queries.front(), 1);
  Value rows = b.mul(sequence.rows, ragged.together);
  // What a block costs besides its keys is worth a page of them.
  return {b.div(heads, ragged.together),
          b.ceilDiv(rows, b.target.attentionRows),
          b.add(sequence.keys, kBlockKeys)};
}

static Value costOf(TileBuilder &b, const SequenceTasks &tasks) {
  return b.mul(b.mul(tasks.heads, tasks.blocks), tasks.cost);
}

/// Those tasks of a sequence, whose costs begin at `before`, that begin in
/// [low, high).
static void emitSequence(const Ragged &ragged, AttentionState &s,
                         const RaggedSequence &sequence,
                         const SequenceTasks &tasks, Value before, Value low,
                         Value high) {
  TileBuilder &b = s.b;
  Value number = b.mul(tasks.heads, tasks.blocks);
  auto firstFrom = [&](Value cost) {
    Value distance = b.sub(b.max(cost, before), before);
    return b.min(b.ceilDiv(distance, tasks.cost), number);
  };
  Value rows = b.mul(sequence.rows, ragged.together);
  Value blocks = b.max(tasks.blocks, b.idx(1)); // no rows: no tasks
  b.forRange(firstFrom(low), firstFrom(high), b.idx(1), [&](Value task) {
    Value block = b.rem(task, blocks);
    Value first = b.div(b.mul(rows, block), blocks);
    Value next = b.div(b.mul(rows, b.add(block, 1)), blocks);
    emitBlock(ragged, s, sequence, b.div(task, blocks), first,
              b.sub(next, first));
  });
}

LogicalResult attn::cpu::emitRagged(TileBuilder &b, const AttentionForm &form) {
  Ragged ragged(b, form);
  AttentionState all(b, ragged.form, layoutOf(b, ragged.form));
  Value sequences = b.dim(form.starts, 0);
  Value total = b.forRange(
      b.idx(0), sequences, b.idx(1), {b.idx(0)},
      [&](Value number, ValueRange sum) -> SmallVector<Value> {
        RaggedSequence sequence = readSequence(ragged, number);
        return {b.add(sum.front(), costOf(b, tasksOf(ragged, sequence)))};
      })[0];
  auto [low, high] = b.share(total);
  b.forRange(b.idx(0), sequences, b.idx(1), {b.idx(0)},
             [&, low = low, high = high](Value number,
                                         ValueRange sum) -> SmallVector<Value> {
               RaggedSequence sequence = readSequence(ragged, number);
               SequenceTasks tasks = tasksOf(ragged, sequence);
               AttentionState s(all);
               s.m = sequence.rows;
               s.n = sequence.keys;
               s.layout.panels = b.ceilDiv(s.n, kPanelWidth);
               emitSequence(ragged, s, sequence, tasks, sum.front(), low, high);
               all.failed |= s.failed;
               return {b.add(sum.front(), costOf(b, tasks))};
             });
  return failure(all.failed);
}
