// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attend as attn.attention with its regions.

#include "frontend/language/emit/BuilderImpl.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace attn::lang;

Value GraphBuilder::emitAttention(const Node &node) {
  const AttentionInfo &info = *node.attention;
  SmallVector<Value> all;
  for (const Node *operand : node.operands)
    all.push_back(values.lookup(operand));
  ArrayRef<Value> rest(all);
  auto take = [&](size_t n) {
    ArrayRef<Value> taken = rest.take_front(n);
    rest = rest.drop_front(n);
    return taken;
  };
  ArrayRef<Value> queries = take(info.pairs), keys = take(info.pairs);
  Value value = take(1).front();
  ArrayRef<Value> captures = take(info.captures);
  Value sink = info.hasSink ? take(1).front() : Value();

  mlir::Type weights, logsumexp;
  ValueType map = node.operands[0]->type;
  map.shape[3] = node.operands[size_t(2) * info.pairs]->type.shape[2];
  if (info.weights == "mean")
    map.shape.erase(map.shape.begin() + 1);
  if (!info.weights.empty())
    weights = tensorType(map);
  ValueType rows = node.operands[0]->type;
  rows.shape.pop_back();
  if (info.logsumexp)
    logsumexp = tensorType(rows);
  auto normalizer = info.normalizer == "softmax"   ? attn::Normalizer::Softmax
                    : info.normalizer == "sigmoid" ? attn::Normalizer::Sigmoid
                                                   : attn::Normalizer::Sum;
  auto op = attn::AttentionOp::create(
      b, loc, tensorType(node.type), weights, logsumexp, queries, keys, value,
      captures, sink, /*starts=*/{}, /*lengths=*/{}, normalizer);
  emitRegion(node, *info.score, op.getScore(), false);
  if (info.keep)
    emitRegion(node, *info.keep, op.getKeep(), false);
  if (info.weight)
    emitRegion(node, *info.weight, op.getWeight(), true);
  return op.getOutput();
}

void GraphBuilder::emitRegion(const Node &node, const Node &result,
                              Region &region, bool isWeight) {
  const AttentionInfo &info = *node.attention;
  SmallVector<mlir::Type> types;
  for (size_t p = 0; p < info.pairs; ++p) {
    auto query =
        cast<RankedTensorType>(values.lookup(node.operands[p]).getType());
    types.append(
        2, RankedTensorType::get({query.getShape().back()}, b.getF32Type()));
  }
  types.append(6, b.getIndexType());
  for (size_t c = 0; c < info.captures; ++c)
    types.push_back(
        values.lookup(node.operands[2 * info.pairs + 1 + c]).getType());
  if (isWeight)
    types.push_back(b.getF32Type());

  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&region, {}, types,
                               SmallVector<Location>(types.size(), loc));
  std::vector<bool> needed(graph.nodes.size() + 1);
  needed[result.id] = true;
  std::vector<const Node *> order;
  for (auto it = info.body.rbegin(); it != info.body.rend(); ++it) {
    // Numbers are made where they are used, in their user's type.
    if (!needed[(*it)->id] || ((*it)->isScalarConstant() && *it != &result))
      continue;
    for (const Node *operand : (*it)->operands)
      needed[operand->id] = true;
    order.push_back(*it);
  }
  regionValues.clear();
  for (const Node *bodyNode : llvm::reverse(order)) {
    loc = location(bodyNode->position);
    regionValues[bodyNode] = emitInRegion(*bodyNode, *block);
  }
  loc = location(node.position);
  attn::YieldOp::create(b, loc, regionValues.lookup(&result));
}

/// An operand of a map as its user wants it: its element type and, beside a
/// vector, repeated to one.
Value GraphBuilder::regionOperand(const Node &node, const Node &user) {
  bool condition =
      user.function == Function::Where && &node == user.operands[0];
  Element wanted = condition ? Element::Bool : user.operandElement;
  Value value =
      node.isScalarConstant()
          ? scalarConstant(b, loc, node, wanted)
          : convertElement(b, loc, regionValues.lookup(&node), wanted);
  if (!user.type.rank() || isa<RankedTensorType>(value.getType()))
    return value;
  auto vector =
      RankedTensorType::get({*user.type.shape[0].constant()}, value.getType());
  return tensor::SplatOp::create(b, loc, value, vector);
}

Value GraphBuilder::emitInRegion(const Node &node, Block &block) {
  switch (node.kind) {
  case NodeKind::Argument:
    return node.index < 0 ? block.getArguments().back()
                          : block.getArgument(node.index);
  case NodeKind::Constant: {
    Value scalar = scalarConstant(b, loc, node, node.type.element);
    if (!node.type.rank())
      return scalar;
    auto vector = RankedTensorType::get({*node.type.shape[0].constant()},
                                        scalar.getType());
    return tensor::SplatOp::create(b, loc, scalar, vector);
  }
  case NodeKind::CaptureSize:
    return tensor::DimOp::create(b, loc, regionValues.lookup(node.operands[0]),
                                 node.index);
  case NodeKind::Dot:
    return attn::DotOp::create(b, loc, regionValues.lookup(node.operands[0]),
                               regionValues.lookup(node.operands[1]));
  case NodeKind::VectorSum:
    return attn::SumOp::create(b, loc, b.getF32Type(),
                               regionValues.lookup(node.operands[0]));
  case NodeKind::Map: {
    SmallVector<Value> operands;
    for (const Node *operand : node.operands)
      operands.push_back(regionOperand(*operand, node));
    return convertElement(b, loc, emitFunction(b, loc, node.function, operands),
                          node.type.element);
  }
  case NodeKind::Extract: {
    Value source = regionValues.lookup(node.operands[0]);
    SmallVector<Value> indices;
    for (const Node *index : llvm::drop_begin(node.operands))
      indices.push_back(index->isConstant()
                            ? scalarConstant(b, loc, *index, Element::Index)
                            : convertElement(b, loc, regionValues.lookup(index),
                                             Element::Index));
    if (!node.type.rank())
      return tensor::ExtractOp::create(b, loc, source, indices);
    SmallVector<OpFoldResult> offsets(indices.begin(), indices.end()), extent;
    int64_t width = *node.type.shape[0].constant();
    extent.append(indices.size(), b.getIndexAttr(1));
    extent.push_back(b.getIndexAttr(width));
    offsets.push_back(b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
    auto vector = RankedTensorType::get({width}, b.getF32Type());
    return tensor::ExtractSliceOp::create(b, loc, vector, source, offsets,
                                          extent, strides);
  }
  default:
    llvm_unreachable("the checker lets nothing else into a score program");
  }
}
