// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Blocks of keys are judged by the intervals of keep; those that hold nothing
// are left out, and neighbours of one kind make a run.
//
// Leaving a block out changes no bit: its weights would be 0, and its keys are
// below every reference.

#include "codegen/cpu/attention/sparsity/KeyRuns.h"

#include "codegen/attention/KeepIntervals.h"
#include "codegen/cpu/tiles/CaptureRange.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// What a block holds, and the columns of the table of runs.
enum BlockKind : int64_t { kEmpty, kMixed, kFull };
enum RunColumn : int64_t { kFirst, kEnd, kKind };

Verdict attn::cpu::judge(AttentionState &s, const HeadRows &rows,
                         const Keys &keys, Search search) {
  TileBuilder &b = s.b;
  auto lastOf = [&](Value from, Value number) {
    return b.sub(b.add(from, number), b.idx(1));
  };
  KeepTile tile{rows.batch,
                rows.head,
                b.div(rows.first, rows.together),
                b.div(lastOf(rows.first, rows.count), rows.together),
                keys.first,
                lastOf(keys.first, keys.count),
                s.m,
                s.n,
                s.form.captures};
  auto extremes = [&](const CaptureRange &range) {
    return captureExtremes(b, range);
  };
  return keepVerdict(b, *s.form.keep, tile,
                     {extremes, search == Search::ElementsOnly});
}

/// Fills the table of runs; returns their number.
static Value findRuns(AttentionState &s, const HeadRows &rows,
                      const Chunk &chunk) {
  TileBuilder &b = s.b;
  auto kindOf = [&](Verdict verdict) {
    Value kept = b.createOrFold<arith::SelectOp>(verdict.all, b.idx(kFull),
                                                 b.idx(kMixed));
    return b.createOrFold<arith::SelectOp>(verdict.none, b.idx(kEmpty), kept);
  };
  auto block = [&](Value column, ValueRange before) -> SmallVector<Value> {
    Value number = before[0], kindBefore = before[1];
    Value count = b.min(b.sub(chunk.count, column), b.idx(kBlockKeys));
    Value kind = kindOf(
        judge(s, rows, {b.add(chunk.first, column), count}, Search::Ranges));
    Value holds = b.less(b.idx(kEmpty), kind);
    Value differs =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ne, kind, kindBefore);
    Value starts = arith::AndIOp::create(b, holds, differs);
    number = b.add(number,
                   arith::IndexCastUIOp::create(b, b.getIndexType(), starts));
    auto note = [&](RunColumn what, Value value) {
      Value run = b.sub(number, b.idx(1));
      memref::StoreOp::create(b, value, s.scratch.runs,
                              ValueRange{run, b.idx(what)});
    };
    b.ifThen(starts, [&] {
      note(kFirst, column);
      note(kKind, kind);
    });
    b.ifThen(holds, [&] { note(kEnd, b.add(column, count)); });
    return {number, kind};
  };
  return b.forRange(b.idx(0), chunk.count, b.idx(kBlockKeys),
                    {b.idx(0), b.idx(kEmpty)}, block)[0];
}

static void forChunks(AttentionState &s, const Keys &keys,
                      llvm::function_ref<void(const Chunk &)> body) {
  TileBuilder &b = s.b;
  Value end = b.add(keys.first, keys.count);
  b.forRange(keys.first, end, b.idx(kChunkKeys), [&](Value key) {
    body({key, b.min(b.sub(end, key), b.idx(kChunkKeys)), {}});
  });
}

void attn::cpu::forChunks(AttentionState &s,
                          llvm::function_ref<void(const Chunk &)> body) {
  ::forChunks(s, {s.b.idx(0), s.n}, body);
}

void attn::cpu::forKeptChunks(AttentionState &s, const HeadRows &rows,
                              const Keys &keys,
                              llvm::function_ref<void(const Chunk &)> body,
                              llvm::function_ref<void(const Keys &)> leftOut) {
  if (!s.form.keep)
    return ::forChunks(s, keys, body);
  TileBuilder &b = s.b;
  auto branch = [&](Value condition, const Chunk &chunk,
                    llvm::function_ref<void()> then) {
    if (!leftOut)
      return b.ifThen(condition, then);
    b.ifElse(condition, then, [&] { leftOut({chunk.first, chunk.count}); });
  };
  ::forChunks(s, keys, [&](Chunk chunk) {
    // A far chunk is dismissed at once, without a search of its captures.
    Verdict verdict =
        judge(s, rows, {chunk.first, chunk.count}, Search::ElementsOnly);
    Value some = arith::XOrIOp::create(
        b, verdict.none, arith::ConstantOp::create(b, b.getBoolAttr(true)));
    branch(some, chunk, [&] {
      chunk.runs = findRuns(s, rows, chunk);
      branch(b.less(b.idx(0), chunk.runs), chunk, [&] { body(chunk); });
    });
  });
}

void attn::cpu::forKeptChunks(AttentionState &s, const HeadRows &rows,
                              llvm::function_ref<void(const Chunk &)> body,
                              llvm::function_ref<void(const Keys &)> leftOut) {
  forKeptChunks(s, rows, {s.b.idx(0), s.n}, body, leftOut);
}

SmallVector<Value> attn::cpu::forRuns(
    AttentionState &s, const Chunk &chunk, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(const KeyRun &, ValueRange)> body) {
  TileBuilder &b = s.b;
  if (!chunk.runs)
    return body({b.idx(0), chunk.count, {}}, inits);
  return b.forRange(b.idx(0), chunk.runs, b.idx(1), inits,
                    [&](Value run, ValueRange carried) {
                      auto noted = [&](RunColumn what) {
                        return b.loadScalar(s.scratch.runs, {run, b.idx(what)});
                      };
                      Value column = noted(kFirst);
                      Value count = b.sub(noted(kEnd), column);
                      Value mixed = b.equal(noted(kKind), b.idx(kMixed));
                      return body({column, count, mixed}, carried);
                    });
}

void attn::cpu::forRuns(AttentionState &s, const Chunk &chunk,
                        llvm::function_ref<void(const KeyRun &)> body) {
  forRuns(s, chunk, {}, [&](const KeyRun &run, ValueRange) {
    body(run);
    return SmallVector<Value>();
  });
}

void attn::cpu::forGaps(AttentionState &s, const Chunk &chunk,
                        llvm::function_ref<void(const Keys &)> body) {
  if (!chunk.runs)
    return;
  TileBuilder &b = s.b;
  auto gap = [&](Value from, Value to) {
    body({b.add(chunk.first, from), b.sub(to, from)});
  };
  Value end =
      forRuns(s, chunk, {b.idx(0)},
              [&](const KeyRun &run, ValueRange before) -> SmallVector<Value> {
                gap(before.front(), run.column);
                return {b.add(run.column, run.count)};
              })
          .front();
  gap(end, chunk.count);
}

SmallVector<Value> attn::cpu::forRunLanes(
    AttentionState &s, const Chunk &chunk, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(const RunLanes &, ValueRange)> body) {
  TileBuilder &b = s.b;
  auto pass = [&](const KeyRun &run, Value count, bool isKept,
                  ValueRange carried) {
    return b.forLanes(
        count, carried, [&](Value offset, Value mask, ValueRange values) {
          return body({b.add(run.column, offset), mask, isKept}, values);
        });
  };
  return forRuns(s, chunk, inits, [&](const KeyRun &run, ValueRange carried) {
    if (!run.asksKeep)
      return pass(run, run.count, !s.form.keep, carried);
    // One of the two loops is empty.
    auto where = [&](Value yes, Value no) -> Value {
      return arith::SelectOp::create(b, run.asksKeep, yes, no);
    };
    SmallVector<Value> kept =
        pass(run, where(b.idx(0), run.count), true, carried);
    return pass(run, where(run.count, b.idx(0)), false, kept);
  });
}
