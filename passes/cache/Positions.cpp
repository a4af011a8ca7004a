// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Coordinates, tables and running counts of a whole sequence, read at the
// positions of new tokens.

#include "passes/cache/Positions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace attn;

/// map(linalg.index t) => map(position[t])
static void readRamp(TokenRows &tokens, linalg::GenericOp generic,
                     unsigned loop, Value position) {
  OpBuilder builder(generic);
  SmallVector<Value> inputs(generic.getDpsInputs());
  inputs.push_back(position);
  SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
  maps.insert(
      maps.begin() + generic.getNumDpsInputs(),
      AffineMap::get(generic.getNumLoops(), 0, builder.getAffineDimExpr(loop)));
  auto reading = linalg::GenericOp::create(
      builder, generic.getLoc(), generic->getResultTypes(), inputs,
      generic.getDpsInits(), maps, generic.getIteratorTypesArray());
  reading->setDiscardableAttrs(generic->getDiscardableAttrDictionary());
  reading.getRegion().takeBody(generic.getRegion());
  Block *body = reading.getBody();
  Value read = body->insertArgument(generic.getNumDpsInputs(),
                                    builder.getI64Type(), generic.getLoc());
  for (auto index :
       llvm::make_early_inc_range(body->getOps<linalg::IndexOp>())) {
    if (index.getDim() != loop)
      continue;
    builder.setInsertionPoint(index);
    index.replaceAllUsesWith(arith::IndexCastOp::create(builder, index.getLoc(),
                                                        builder.getIndexType(),
                                                        read)
                                 .getResult());
    index.erase();
  }
  for (auto [old, result] :
       llvm::zip_equal(generic->getResults(), reading->getResults())) {
    tokens.setRows(result, *tokens.rowsOf(old));
    old.replaceAllUsesWith(result);
  }
}

/// position + constant, of the shape of `like`, whose loop `row` reads it.
static Value addToPosition(OpBuilder &builder, Location loc, Value position,
                           int64_t constant, Value empty, int64_t row) {
  auto type = cast<RankedTensorType>(empty.getType());
  AffineMap map =
      AffineMap::get(type.getRank(), 0, builder.getAffineDimExpr(row));
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  return linalg::GenericOp::create(
             builder, loc, type, position, empty, ArrayRef{map, identity},
             SmallVector<utils::IteratorType>(type.getRank(),
                                              utils::IteratorType::parallel),
             [&](OpBuilder &b, Location l, ValueRange arguments) {
               Value amount = arith::ConstantIntOp::create(
                   b, l, type.getElementType(), constant);
               Value sum = arith::AddIOp::create(b, l, arguments[0], amount);
               linalg::YieldOp::create(b, l, sum);
             })
      .getResult(0);
}

/// table[c : c + T] => embedding(position + c, table)
static void readTable(TokenRows &tokens, tensor::ExtractSliceOp slice,
                      Value position) {
  OpBuilder builder(slice);
  Location loc = slice.getLoc();
  int64_t row = *tokens.rowsOf(slice.getResult());
  int64_t first = *getConstantIntValue(slice.getMixedOffsets()[row]);
  auto count = cast<Value>(slice.getMixedSizes()[row]);
  Value ids = position;
  if (first != 0) {
    Value empty = tensor::EmptyOp::create(
        builder, loc, ArrayRef<OpFoldResult>{count}, builder.getI64Type());
    ids = addToPosition(builder, loc, position, first, empty, 0);
    tokens.setRows(ids, 0);
    tokens.setRows(empty, 0);
  }
  RankedTensorType source = slice.getSourceType();
  SmallVector<ReassociationIndices> groups(2);
  for (int64_t d = 0; d < source.getRank(); ++d)
    groups[d <= row ? 0 : 1].push_back(d);
  int64_t width = 1;
  for (int64_t size : source.getShape().drop_front(row + 1))
    width *= size;
  Value table = slice.getSource();
  auto tableType =
      source.clone(ArrayRef<int64_t>{source.getDimSize(row), width});
  if (groups[1].empty())
    table = tensor::ExpandShapeOp::create(
        builder, loc, tableType, table, ArrayRef<ReassociationIndices>{{0, 1}});
  else if (source != tableType)
    table =
        tensor::CollapseShapeOp::create(builder, loc, tableType, table, groups);
  Value rows = EmbeddingOp::create(
      builder, loc, tableType.clone({ShapedType::kDynamic, width}), ids, table);
  tokens.setRows(rows, 0);
  RankedTensorType type = slice.getType();
  if (groups[1].empty())
    rows = tensor::CollapseShapeOp::create(
        builder, loc, type, rows, ArrayRef<ReassociationIndices>{{0, 1}});
  else if (rows.getType() != type)
    rows = tensor::ExpandShapeOp::create(builder, loc, type, rows, groups,
                                         slice.getMixedSizes());
  tokens.setRows(rows, row);
  slice.getResult().replaceAllUsesWith(rows);
}

/// cumsum(ones) => position + 1
static void readRunningCount(TokenRows &tokens, linalg::GenericOp sum,
                             Value position) {
  OpBuilder builder(sum);
  int64_t row = *tokens.rowsOf(sum.getResult(0));
  auto fill = sum.getDpsInits().front().getDefiningOp<linalg::FillOp>();
  Value count = addToPosition(builder, sum.getLoc(), position, 1,
                              fill.getDpsInits().front(), row);
  tokens.setRows(count, row);
  sum.getResult(0).replaceAllUsesWith(count);
}

void attn::readPositions(TokenRows &tokens, Value position) {
  tokens.setRows(position, 0);
  for (auto [generic, loop] : tokens.ramps)
    readRamp(tokens, generic, loop, position);
  for (tensor::ExtractSliceOp slice : tokens.tables)
    readTable(tokens, slice, position);
  for (linalg::GenericOp sum : tokens.runningCounts)
    readRunningCount(tokens, sum, position);
}
