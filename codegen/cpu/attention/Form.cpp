// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads an attn.attention: its views, and whether its score folds into Q.

#include "codegen/cpu/attention/Form.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static Value permuted(TileBuilder &b, Value buffer,
                      ArrayRef<int64_t> permutation) {
  auto map = AffineMap::getPermutationMap(permutation, b.getContext());
  return memref::TransposeOp::create(b, buffer, AffineMapAttr::get(map));
}

/// The memory that `tensor` is read from, through at most one transpose.
static Value readView(TileBuilder &b, Value tensor) {
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

static std::optional<double> constantOf(Value value) {
  FloatAttr attribute;
  if (!matchPattern(value, m_Constant(&attribute)))
    return std::nullopt;
  return attribute.getValueAsDouble();
}

/// scale, where the score region yields scale * dot.
static std::optional<double> readScale(Region &score) {
  Value yielded = score.front().getTerminator()->getOperand(0);
  if (yielded.getDefiningOp<DotOp>())
    return 1.0;
  if (auto product = yielded.getDefiningOp<arith::MulFOp>()) {
    for (auto [dot, factor] : {std::pair(product.getLhs(), product.getRhs()),
                               std::pair(product.getRhs(), product.getLhs())})
      if (dot.getDefiningOp<DotOp>())
        return constantOf(factor);
  }
  if (auto quotient = yielded.getDefiningOp<arith::DivFOp>())
    if (quotient.getLhs().getDefiningOp<DotOp>())
      if (std::optional<double> divisor = constantOf(quotient.getRhs()))
        return 1.0 / *divisor;
  return std::nullopt;
}

/// Whether regions use the query and key vectors through dot(q, k) only.
static bool usesOnlyDot(AttentionOp op) {
  for (Region *region : {&op.getScore(), &op.getKeep()})
    for (BlockArgument vector : region->getArguments().take_front(2))
      for (Operation *user : vector.getUsers())
        if (!isa<DotOp>(user) || region != &op.getScore() ||
            user->getOperand(0) == user->getOperand(1))
          return false;
  return true;
}

static LogicalResult declineForms(AttentionOp op) {
  auto decline = [&](StringRef form) {
    return op.emitError(form) << " is not lowered to CPUs yet";
  };
  if (op.getQueries().size() != 1)
    return decline("attention with several query/key pairs");
  if (op.getNormalizer() != Normalizer::Softmax)
    return decline("attention with a normalizer other than softmax");
  if (op.getSink())
    return decline("attention with a sink");
  if (!op.getWeight().empty())
    return decline("attention with a factor on the weights");
  if (op.getWeights())
    return decline("attention that returns its weights");
  if (op.getLogsumexp())
    return decline("attention that returns its log-sum-exp");
  if (!usesOnlyDot(op))
    return decline(
        "attention whose score uses query and key vectors other than "
        "through attn.dot of both");
  return success();
}

FailureOr<AttentionForm> attn::cpu::readAttention(TileBuilder &b,
                                                  AttentionOp op) {
  if (failed(declineForms(op)))
    return failure();
  AttentionForm form;
  form.op = op;
  form.query = readView(b, op.getQueries().front());
  form.key = readView(b, op.getKeys().front());
  form.value = readView(b, op.getValue());
  form.output = writeView(b, op.getOutput());
  if (!form.query || !form.key || !form.value || !form.output)
    return op.emitError("expects operands and result of an attention kernel to "
                        "be its arguments and result, transposed at most once "
                        "with the head width last");
  for (Value capture : op.getCaptures())
    form.captures.push_back(b.memory(capture));
  if (llvm::is_contained(form.captures, Value()))
    return op.emitError("expects captures of an attention kernel to be its "
                        "arguments");
  auto key = cast<RankedTensorType>(op.getKeys().front().getType());
  auto query = cast<RankedTensorType>(op.getQueries().front().getType());
  form.headWidth = key.getDimSize(3);
  form.valueWidth =
      cast<RankedTensorType>(op.getValue().getType()).getDimSize(3);
  if (ShapedType::isDynamic(form.valueWidth))
    return op.emitError("expects the width of 'value' to be static");
  form.headsPerKeyHead = query.getDimSize(1) / key.getDimSize(1);
  form.scale = readScale(op.getScore());
  form.score = &op.getScore();
  form.keep = op.getKeep().empty() ? nullptr : &op.getKeep();
  return form;
}
