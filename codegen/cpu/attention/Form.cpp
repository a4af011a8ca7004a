// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads an attn.attention: its views, and whether its score is all products.

#include "codegen/cpu/attention/Form.h"

#include "dialect/AttnDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static Value permuted(TileBuilder &b, Value buffer,
                      ArrayRef<int64_t> permutation) {
  auto map = AffineMap::getPermutationMap(permutation, b.getContext());
  return memref::TransposeOp::create(b, buffer, AffineMapAttr::get(map));
}

Value attn::cpu::readView(TileBuilder &b, Value tensor) {
  if (Value buffer = b.memory(tensor))
    return buffer;
  auto transpose = tensor.getDefiningOp<linalg::TransposeOp>();
  if (!transpose || transpose.getPermutation().back() != 3)
    return {};
  Value buffer = b.memory(transpose.getInput());
  return buffer ? permuted(b, buffer, transpose.getPermutation()) : Value();
}

/// The memory that `tensor` is written to, through at most one transpose.
static Value writeView(TileBuilder &b, Value tensor) {
  if (Value buffer = b.memory(tensor))
    return buffer;
  if (!tensor.hasOneUse())
    return {};
  auto transpose = dyn_cast<linalg::TransposeOp>(*tensor.user_begin());
  if (!transpose || transpose.getPermutation().back() != 3)
    return {};
  Value buffer = b.memory(transpose->getResult(0));
  return buffer ? permuted(b, buffer,
                           invertPermutationVector(transpose.getPermutation()))
                : Value();
}

static LogicalResult readMemory(TileBuilder &b, AttentionForm &form) {
  AttentionOp op = form.op;
  for (Value query : op.getQueries())
    form.queries.push_back(readView(b, query));
  SmallVector<Value> all(form.queries);
  form.pages = op.getValue().getDefiningOp<ReadPagesOp>();
  if (!form.pages) {
    for (Value key : op.getKeys())
      form.keys.push_back(readView(b, key));
    form.value = readView(b, op.getValue());
    llvm::append_range(all, form.keys);
    all.push_back(form.value);
  }
  form.output = writeView(b, op.getOutput());
  all.push_back(form.output);
  if (llvm::is_contained(all, Value()))
    return op.emitError("expects operands and result of an attention kernel to "
                        "be its arguments and result, transposed at most once "
                        "with the head width last");
  if (form.pages && (!op.isRagged() || op.getKeys().size() != 1 ||
                     op.getKeys().front() != form.pages.getKey()))
    return op.emitError("expects pages to be read by ragged rows, keys and "
                        "values together");
  if (op.isRagged()) {
    form.starts = b.memory(op.getStarts());
    form.lengths = b.memory(op.getLengths());
    if (!form.starts || !form.lengths)
      return op.emitError("expects starts and lengths of an attention kernel "
                          "to be its arguments");
    if (!op.getWeight().empty())
      return op.emitError("a weight expression on ragged rows is not lowered "
                          "yet");
  }
  for (Value capture : op.getCaptures())
    form.captures.push_back(b.memory(capture));
  if (llvm::is_contained(form.captures, Value()))
    return op.emitError("expects captures of an attention kernel to be its "
                        "arguments");
  for (auto [tensor, memory] : {std::pair(op.getSink(), &form.sink),
                                std::pair(op.getWeights(), &form.weights),
                                std::pair(op.getLogsumexp(), &form.logsumexp)})
    if (tensor && !(*memory = b.memory(tensor)))
      return op.emitError("expects sink, weights and log-sum-exp of an "
                          "attention kernel to be its arguments and results");
  return success();
}

Value AttentionForm::positions(TileBuilder &b) const {
  if (!pages)
    return b.dim(value, 2);
  ReadPagesOp op = pages;
  return b.mul(b.dim(b.memory(op.getPages()), 1), kPageTokens);
}

FailureOr<AttentionForm> attn::cpu::readAttention(TileBuilder &b,
                                                  AttentionOp op) {
  AttentionForm form(op);
  if (failed(readMemory(b, form)))
    return failure();
  auto query = cast<RankedTensorType>(op.getQueries().front().getType());
  auto value = cast<RankedTensorType>(op.getValue().getType());
  form.valueWidth = value.getDimSize(3);
  form.headsPerKeyHead = query.getDimSize(1) / value.getDimSize(1);
  auto present = [](Region &region) {
    return region.empty() ? nullptr : &region;
  };
  form.score = &op.getScore();
  form.keep = present(op.getKeep());
  form.weight = present(op.getWeight());
  form.isWholeScore =
      form.program.joinProducts(form.isSoftmax() ? kLog2E : 1.0);
  return form;
}
