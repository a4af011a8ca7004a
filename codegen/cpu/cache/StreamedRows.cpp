// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plain keys are multiplied straight from their pages. Of others, and of keys
// in memory, a block of 64 is packed and multiplied while it is in L1.

#include "codegen/cpu/cache/StreamedRows.h"

#include "codegen/cpu/attention/Results.h"
#include "codegen/cpu/attention/SidedValues.h"
#include "codegen/cpu/attention/Softmax.h"
#include "codegen/cpu/attention/Terms.h"
#include "codegen/cpu/attention/Weights.h"
#include "codegen/cpu/cache/BlockProducts.h"
#include "codegen/cpu/cache/ChunkTotals.h"
#include "codegen/cpu/cache/UnpackPages.h"
#include "dialect/AttnDialect.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

//===----------------------------------------------------------------------===//
// The form
//===----------------------------------------------------------------------===//

/// Whether all that is needed of keys is their products, which pages give.
static bool readsPagesDirectly(const AttentionForm &form) {
  const ScoreProgram &program = form.program;
  AttentionOp op = form.op;
  Value key = op.getScore().getArgument(1);
  auto isPlain = [&](const SidedVector &vector) {
    return vector.side != Side::Key ||
           (!vector.isExponential && vector.parts.size() == 1 &&
            vector.parts.front().factor == 1.0 &&
            program.representative(vector.parts.front().vector) == key);
  };
  auto isOfKeys = [](const SidedScalar &scalar) {
    return scalar.side == Side::Key;
  };
  return form.pages && llvm::all_of(program.vectors(), isPlain) &&
         llvm::none_of(program.scalars(), isOfKeys) &&
         program.terms().size() == 1 &&
         program.terms().front().products.size() == 1 &&
         !program.terms().front().squares;
}

int64_t attn::cpu::headsTogether(const AttentionForm &form) {
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

/// What attention keeps; of keys a chunk, and no more than there are: a
/// workspace for many rows then serves few. Behind it lie keys copied from
/// pages.
static ScratchLayout layoutOf(TileBuilder &b, const AttentionForm &form) {
  Value keys = b.idx(readsPagesDirectly(form) ? 0 : kChunkKeys);
  if (!form.pages)
    keys = b.min(keys, form.positions(b));
  return {b, form, keys, b.idx(0)};
}

static MemRefType copiedType(TileBuilder &b, int64_t width) {
  return MemRefType::get({1, 1, kPageTokens, width}, b.getF32Type());
}

Value attn::cpu::streamScratch(TileBuilder &b, const AttentionForm &form) {
  Value bytes = layoutOf(b, form).bytes;
  if (!form.pages || readsPagesDirectly(form))
    return bytes;
  ReadPagesOp op = form.pages;
  auto key = cast<RankedTensorType>(op.getKey().getType());
  MemRefType copied = copiedType(b, key.getDimSize(3));
  return b.add(bytes, b.idx(copied.getNumElements() * int64_t(sizeof(float))));
}

Stream::Stream(TileBuilder &b, const AttentionForm &given, int tallest)
    : b(b), together(headsTogether(given)), tallest(tallest), form(given),
      direct(readsPagesDirectly(given)) {
  if (!form.pages)
    return;
  ReadPagesOp op = form.pages;
  entry.emplace(b, b.memory(op.getCache()), b.memory(op.getOffset()),
                b.memory(op.getPages()),
                cast<RankedTensorType>(op.getKey().getType()),
                cast<RankedTensorType>(op.getValue().getType()));
  if (!direct)
    form.keys = {
        b.scratch(layoutOf(b, form).bytes, copiedType(b, entry->keyWidth))};
}

AttentionState Stream::state() const {
  return AttentionState(b, form, layoutOf(b, form));
}

//===----------------------------------------------------------------------===//
// Blocks of rows
//===----------------------------------------------------------------------===//

/// Some rows, in register tiles.
struct Stream::Block {
  HeadRows rows;
  RowTiles tiles;
};

/// The terms of a run.
void Stream::fillRun(AttentionState &s, const Block &block, const Chunk &chunk,
                     const KeyRun &run) const {
  if (direct)
    return multiplyPagedDots(s, *entry, block.rows, block.tiles, chunk, run);
  forBlocks(s, run, [&](const KeyRun &some) {
    Value key = b.add(chunk.first, some.column);
    if (entry) {
      Value page = entry->page(b, block.rows.batch, b.div(key, kPageTokens));
      unpackKeys(b, *entry, page, block.rows.keyHead, form.keys.front());
      s.copiedFrom = key;
    }
    packKeys(s, block.rows, key, some.count);
    fillTerms(s, block.rows, block.tiles, chunk, some);
  });
}

void Stream::emitChunk(AttentionState &s, const Block &block,
                       const Chunk &chunk) const {
  const HeadRows &rows = block.rows;
  s.packedFrom = chunk.first;
  clearRows(s, rows);
  forRuns(s, chunk, [&](const KeyRun &run) { fillRun(s, block, chunk, run); });
  if (form.isSoftmax())
    softmaxChunk(s, rows, chunk);
  else
    plainWeights(s, rows, chunk);
  forRuns(s, chunk, [&](const KeyRun &run) {
    addBlockValues(s, entry ? &*entry : nullptr, rows, block.tiles, chunk, run);
  });
}

HeadRows Stream::rowsOf(Value batch, Value head, Value first, Value count,
                        Value origin) const {
  bool grouped = together > 1;
  Value keyHead = grouped ? head : b.div(head, form.headsPerKeyHead);
  if (grouped)
    head = b.mul(head, together);
  return {batch, head, keyHead, first, count, origin, together};
}

void Stream::addKeys(AttentionState &s, AttentionState &total,
                     const HeadRows &rows, const Keys &keys) const {
  Block block{rows, RowTiles(b, b.idx(0), rows.count, tallest)};
  forKeptChunks(s, rows, keys, [&](const Chunk &chunk) {
    AttentionState own(s);
    emitChunk(own, block, chunk);
    s.failed |= own.failed;
    addChunk(own, total, rows);
  });
}

void Stream::finishRows(AttentionState &total, const HeadRows &rows) const {
  if (form.isSoftmax())
    finishSums(total, rows);
  writeRows(total, rows, form.isSoftmax());
}
