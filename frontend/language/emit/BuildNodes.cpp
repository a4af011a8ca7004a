// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Each kind of node as operations.

#include "frontend/language/emit/BuilderImpl.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace attn::lang;

Value GraphBuilder::emit(const Node &node) {
  auto operand = [&](size_t i) {
    return i < node.operands.size() ? values.lookup(node.operands[i]) : Value();
  };
  RankedTensorType type = tensorType(node.type);
  switch (node.kind) {
  case NodeKind::Input:
    return values.lookup(&node);
  case NodeKind::Weight:
    return attn::WeightOp::create(b, loc, type, node.name);
  case NodeKind::Constant:
    return emitConstant(node);
  case NodeKind::Iota:
    return emitIota(node);
  case NodeKind::Map:
    return emitMap(node);
  case NodeKind::Linear:
    return attn::LinearOp::create(b, loc, operand(0), operand(1), operand(2))
        ->getResult(0);
  case NodeKind::LayerNorm:
  case NodeKind::RmsNorm:
    return emitNorm(node);
  case NodeKind::Softmax:
    return attn::SoftmaxOp::create(b, loc, type, operand(0), node.index);
  case NodeKind::Matmul:
    return attn::MatmulOp::create(b, loc, type, operand(0), operand(1),
                                  node.flag);
  case NodeKind::Embedding:
    return emitEmbedding(node);
  case NodeKind::Reshape:
    return emitReshape(node);
  case NodeKind::Transpose:
    return emitTranspose(node);
  case NodeKind::Concat: {
    SmallVector<Value> parts;
    for (const Node *part : node.operands)
      parts.push_back(values.lookup(part));
    return tensor::ConcatOp::create(b, loc, type, node.index, parts);
  }
  case NodeKind::Slice:
    return emitSlice(node);
  case NodeKind::Sum:
  case NodeKind::Maximum:
    return emitReduce(node);
  case NodeKind::CumulativeSum:
    return emitCumulativeSum(node);
  case NodeKind::Attention:
    return emitAttention(node);
  case NodeKind::AttentionWeights:
    return operand(0).getDefiningOp<attn::AttentionOp>().getWeights();
  case NodeKind::AttentionLogSumExp:
    return operand(0).getDefiningOp<attn::AttentionOp>().getLogsumexp();
  case NodeKind::Scan:
    emitScan(node);
    return Value();
  case NodeKind::ScanArgument:
    return values.lookup(&node);
  case NodeKind::ScanResult:
    return scans.lookup(node.operands[0])->getResult(node.index);
  case NodeKind::Argument:
  case NodeKind::Extract:
  case NodeKind::Dot:
  case NodeKind::VectorSum:
  case NodeKind::CaptureSize:
    break; // only inside a score program
  }
  return Value();
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

static SmallVector<utils::IteratorType> parallel(size_t rank) {
  return SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel);
}

/// Broadcast operands: right-aligned, size 1 is read at 0.
static AffineMap operandMap(OpBuilder &b, const ValueType &operand,
                            const ValueType &result) {
  SmallVector<AffineExpr> exprs;
  size_t lead = result.rank() - operand.rank();
  for (size_t i = 0; i < operand.rank(); ++i) {
    bool repeated =
        operand.shape[i].is(1) && !(operand.shape[i] == result.shape[lead + i]);
    exprs.push_back(repeated ? b.getAffineConstantExpr(0)
                             : b.getAffineDimExpr(lead + i));
  }
  return AffineMap::get(result.rank(), 0, exprs, b.getContext());
}

Value GraphBuilder::emitMap(const Node &node) {
  // Constants, absent inputs among them, stand inside the body.
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Node *operand : node.operands)
    if (!operand->isConstant()) {
      inputs.push_back(values.lookup(operand));
      maps.push_back(operandMap(b, operand->type, node.type));
    }
  maps.push_back(b.getMultiDimIdentityMap(node.type.rank()));
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    SmallVector<Value> x;
    size_t next = 0;
    for (auto [i, operand] : llvm::enumerate(node.operands)) {
      bool condition = node.function == Function::Where && i == 0;
      Element wanted = condition ? Element::Bool : node.operandElement;
      x.push_back(operand->isConstant()
                      ? scalarConstant(b, loc, *operand, wanted)
                      : convertElement(b, loc, args[next++], wanted));
    }
    Value result = emitFunction(b, loc, node.function, x);
    Element stored =
        node.type.element == Element::F32 ? Element::F32 : Element::I64;
    linalg::YieldOp::create(b, loc, convertElement(b, loc, result, stored));
  };
  return linalg::GenericOp::create(b, loc, TypeRange{tensorType(node.type)},
                                   inputs, ValueRange{empty(node.type)}, maps,
                                   parallel(node.type.rank()), body)
      .getResult(0);
}

/// Elements made from nothing but their coordinates.
static Value generate(OpBuilder &b, Location loc, Value out,
                      function_ref<Value(OpBuilder &, Location)> element) {
  size_t rank = cast<RankedTensorType>(out.getType()).getRank();
  return linalg::GenericOp::create(
             b, loc, TypeRange{out.getType()}, ValueRange{}, ValueRange{out},
             ArrayRef{b.getMultiDimIdentityMap(rank)}, parallel(rank),
             [&](OpBuilder &b, Location loc, ValueRange) {
               linalg::YieldOp::create(b, loc, element(b, loc));
             })
      .getResult(0);
}

Value GraphBuilder::emitIota(const Node &node) {
  return generate(b, loc, empty(node.type), [&](OpBuilder &b, Location loc) {
    Value index = linalg::IndexOp::create(b, loc, node.index);
    return convertElement(b, loc, index, Element::I64);
  });
}

/// Used where an operation wants a whole tensor; maps inline their constants.
Value GraphBuilder::emitConstant(const Node &node) {
  RankedTensorType type = tensorType(node.type);
  if (!node.type.rank())
    return Value(); // only ever an operand of a map
  if (type.hasStaticShape()) {
    Attribute element = node.type.element == Element::F32
                            ? Attribute(b.getF32FloatAttr(node.real))
                            : Attribute(b.getI64IntegerAttr(node.integer));
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(type, element));
  }
  return generate(b, loc, empty(node.type), [&](OpBuilder &b, Location loc) {
    return scalarConstant(b, loc, node, node.type.element);
  });
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value GraphBuilder::emitNorm(const Node &node) {
  Value x = values.lookup(node.operands[0]);
  Value scale =
      node.operands.size() > 1 ? values.lookup(node.operands[1]) : Value();
  Value shift =
      node.operands.size() > 2 ? values.lookup(node.operands[2]) : Value();
  FloatAttr eps = b.getF64FloatAttr(node.real);
  if (node.kind == NodeKind::RmsNorm)
    return attn::RmsNormOp::create(b, loc, x.getType(), x, scale, eps);
  return attn::LayerNormOp::create(b, loc, x.getType(), x, scale, shift, eps,
                                   b.getI64IntegerAttr(node.index));
}

/// A lookup of one known row, as of absent token types, is that row repeated.
Value GraphBuilder::emitEmbedding(const Node &node) {
  const Node *ids = node.operands[0];
  Value table = values.lookup(node.operands[1]);
  RankedTensorType type = tensorType(node.type);
  if (!ids->isConstant())
    return attn::EmbeddingOp::create(b, loc, type, values.lookup(ids), table);
  int64_t width = type.getShape().back();
  SmallVector<OpFoldResult> offsets{b.getIndexAttr(ids->integer),
                                    b.getIndexAttr(0)};
  SmallVector<OpFoldResult> extent{b.getIndexAttr(1), b.getIndexAttr(width)};
  SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
  Value row =
      tensor::ExtractSliceOp::create(b, loc, table, offsets, extent, strides);
  Value vector = tensor::CollapseShapeOp::create(
      b, loc, row, SmallVector<ReassociationIndices>{{0, 1}});
  size_t rank = node.type.rank();
  AffineMap last =
      AffineMap::get(rank, 0, b.getAffineDimExpr(rank - 1), context);
  return linalg::GenericOp::create(
             b, loc, TypeRange{type}, ValueRange{vector},
             ValueRange{empty(node.type)},
             ArrayRef{last, b.getMultiDimIdentityMap(rank)}, parallel(rank),
             [](OpBuilder &b, Location loc, ValueRange args) {
               linalg::YieldOp::create(b, loc, args[0]);
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

namespace {
/// Runs of dimensions of equal product on both sides of a reshape.
struct Grouping {
  SmallVector<ReassociationIndices> from, to;
  std::vector<Dim> products;
};

Grouping groupDims(const std::vector<Dim> &from, const std::vector<Dim> &to) {
  Grouping groups;
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    ReassociationIndices a{int64_t(i)}, c{int64_t(j)};
    std::optional<Dim> x = from[i++], y = to[j++];
    while (x && y && !(*x == *y) && (i < from.size() || j < to.size())) {
      std::optional<int64_t> p = x->constant(), q = y->constant();
      // Unequal dynamic sizes cannot be ordered: the side that then is equal
      // grows, or else both.
      bool isX = i < from.size() && x->mul(from[i]) == y;
      bool isY = j < to.size() && y->mul(to[j]) == x;
      bool growX = i < from.size() && !(isY && !isX) &&
                   (!p || !q || *p < *q || j >= to.size());
      bool growY =
          j < to.size() && !isX && (!p || !q || *q < *p || i >= from.size());
      if (growX) {
        a.push_back(i);
        x = x->mul(from[i++]);
      }
      if (growY) {
        c.push_back(j);
        y = y->mul(to[j++]);
      }
      if (!growX && !growY)
        break;
    }
    // What is left on one side only has size 1.
    if (i == from.size())
      while (j < to.size())
        c.push_back(j++);
    if (j == to.size())
      while (i < from.size())
        a.push_back(i++);
    groups.from.push_back(a);
    groups.to.push_back(c);
    groups.products.push_back(x.value_or(Dim(1)));
  }
  return groups;
}
} // namespace

Value GraphBuilder::emitReshape(const Node &node) {
  Value x = values.lookup(node.operands[0]);
  const std::vector<Dim> &from = node.operands[0]->type.shape;
  Grouping groups = groupDims(from, node.type.shape);
  // The product of a group that absorbed trailing ones is of either side.
  for (auto [group, product] : llvm::zip_equal(groups.from, groups.products)) {
    std::optional<Dim> total = Dim(1);
    for (int64_t axis : group)
      total = total ? total->mul(from[axis]) : total;
    product = total.value_or(product);
  }
  if (groups.from.size() != from.size()) {
    ValueType collapsed{node.type.element, groups.products};
    x = tensor::CollapseShapeOp::create(b, loc, tensorType(collapsed), x,
                                        groups.from);
  }
  if (groups.to.size() != node.type.rank())
    x = tensor::ExpandShapeOp::create(b, loc, tensorType(node.type), x,
                                      groups.to, sizes(node.type.shape));
  return x;
}

Value GraphBuilder::emitTranspose(const Node &node) {
  return linalg::TransposeOp::create(b, loc, values.lookup(node.operands[0]),
                                     empty(node.type), node.integers)
      ->getResult(0);
}

Value GraphBuilder::emitSlice(const Node &node) {
  SmallVector<OpFoldResult> offsets;
  for (int64_t offset : node.integers)
    offsets.push_back(b.getIndexAttr(offset));
  SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, values.lookup(node.operands[0]),
                                        offsets, sizes(node.type.shape),
                                        strides);
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Value GraphBuilder::emitReduce(const Node &node) {
  bool isMax = node.kind == NodeKind::Maximum;
  size_t rank = node.operands[0]->type.rank();
  double identity = isMax ? -std::numeric_limits<double>::infinity() : 0.0;
  Value init = numberLike(b, loc, b.getF32Type(), identity);
  Value out =
      linalg::FillOp::create(b, loc, init, empty(node.type))->getResult(0);
  SmallVector<AffineExpr> kept;
  for (size_t i = 0; i < rank; ++i)
    if (int64_t(i) != node.index)
      kept.push_back(b.getAffineDimExpr(i));
  SmallVector<utils::IteratorType> iterators = parallel(rank);
  iterators[node.index] = utils::IteratorType::reduction;
  return linalg::GenericOp::create(
             b, loc, TypeRange{out.getType()},
             ValueRange{values.lookup(node.operands[0])}, ValueRange{out},
             ArrayRef{b.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, kept, context)},
             iterators,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Function f = isMax ? Function::Max : Function::Add;
               linalg::YieldOp::create(b, loc, emitFunction(b, loc, f, args));
             })
      .getResult(0);
}

/// y[i] = sum over j <= i of x[j]: exact for whole numbers, quadratic, and
/// meant for positions.
Value GraphBuilder::emitCumulativeSum(const Node &node) {
  size_t rank = node.type.rank();
  RankedTensorType type = tensorType(node.type);
  Value zero = numberLike(b, loc, type.getElementType(), 0);
  Value out =
      linalg::FillOp::create(b, loc, zero, empty(node.type))->getResult(0);
  // The loops are the result's, then j.
  SmallVector<AffineExpr> source;
  for (size_t i = 0; i < rank; ++i)
    source.push_back(b.getAffineDimExpr(int64_t(i) == node.index ? rank : i));
  SmallVector<utils::IteratorType> iterators = parallel(rank);
  iterators.push_back(utils::IteratorType::reduction);
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    Value i = linalg::IndexOp::create(b, loc, node.index);
    Value j = linalg::IndexOp::create(b, loc, rank);
    Value before =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, j, i);
    Value none = numberLike(b, loc, args[0].getType(), 0);
    Value term = arith::SelectOp::create(b, loc, before, args[0], none);
    Value sum = emitFunction(b, loc, Function::Add, {args[1], term});
    linalg::YieldOp::create(b, loc, sum);
  };
  return linalg::GenericOp::create(
             b, loc, TypeRange{type},
             ValueRange{values.lookup(node.operands[0])}, ValueRange{out},
             ArrayRef{AffineMap::get(rank + 1, 0, source, context),
                      b.getMultiDimIdentityMap(rank + 1).dropResult(rank)},
             iterators, body)
      .getResult(0);
}
