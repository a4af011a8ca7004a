// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is one head of one sequence.

#include "codegen/cpu/attention/RaggedRows.h"

#include "codegen/cpu/attention/HeadTasks.h"
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

/// Rows of a head's keys and values follow what every attention keeps.
static int64_t unpackedFloats(const AttentionForm &form) {
  AttentionOp op = form.op;
  return widthOf(op.getKeys().front()) + widthOf(op.getValue());
}

Value attn::cpu::raggedScratch(TileBuilder &b, const AttentionForm &form,
                               Value bytes) {
  if (!form.pages)
    return bytes;
  return b.add(bytes, b.mul(form.positions(b), unpackedFloats(form) * kFloat));
}

namespace {

/// The kernel, with its keys and values as rows in scratch where they are
/// pages.
struct Ragged {
  Ragged(TileBuilder &b, const AttentionForm &form);

  TileBuilder &b;
  AttentionForm form;
  std::optional<PagedEntry> entry;
};

} // namespace

Ragged::Ragged(TileBuilder &b, const AttentionForm &given) : b(b), form(given) {
  if (!form.pages)
    return;
  ReadPagesOp op = form.pages;
  auto keyType = cast<RankedTensorType>(op.getKey().getType());
  auto valueType = cast<RankedTensorType>(op.getValue().getType());
  entry.emplace(b, b.memory(op.getCache()), b.memory(op.getOffset()),
                b.memory(op.getPages()), keyType, valueType);
  Value positions = form.positions(b);
  Value offset = ScratchLayout(b, form, positions).bytes;
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

/// All rows of a head of a sequence.
static void emitTask(const Ragged &ragged, AttentionState &s, Value sequence,
                     Value head) {
  TileBuilder &b = s.b;
  Value keyHead = b.div(head, s.form.headsPerKeyHead);
  if (ragged.entry)
    unpackPages(b, *ragged.entry, sequence, keyHead, s.n, s.form.keys.front(),
                s.form.value);
  Value origin = readIndex(b, s.form.starts, sequence);
  prepareHead(s, {sequence, head, keyHead, {}, {}, origin});
  Value step = b.idx(b.target.attentionRows);
  b.forRange(b.idx(0), s.m, step, [&](Value row) {
    Value count = b.min(b.sub(s.m, row), step);
    emitRows(s, {sequence, head, keyHead, row, count, origin});
  });
}

LogicalResult attn::cpu::emitRagged(TileBuilder &b, const AttentionForm &form) {
  Ragged ragged(b, form);
  AttentionState all(b, ragged.form);
  Value query = form.queries.front();
  Value heads = b.dim(query, 1), sequences = b.dim(form.starts, 0);
  bool failedOnce = false;
  auto [first, last] = b.share(b.mul(sequences, heads));
  b.forRange(first, last, b.idx(1), [&](Value task) {
    Value sequence = b.div(task, heads), next = b.add(sequence, 1);
    AttentionState s(all);
    Value isLast = b.equal(next, sequences);
    Value end = readIndex(b, form.starts, b.select(isLast, sequence, next));
    end = b.select(isLast, b.dim(query, 2), end);
    s.m = b.sub(end, readIndex(b, form.starts, sequence));
    s.n = readIndex(b, form.lengths, sequence);
    s.layout.panels = b.ceilDiv(s.n, kPanelWidth);
    emitTask(ragged, s, sequence, b.rem(task, heads));
    failedOnce |= s.failed;
  });
  return failure(failedOnce);
}
